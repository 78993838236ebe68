// Truth: the probability of every task for anything that the platform may show.
//
// A task's logit is a sum of what docs/simulation.md lists: match of interests, how willing the
// user and how appealing the host is, avatar and text against scene, taste and each other,
// language, the scene's taste in categories, time of day, fashion and trend, the host's character,
// and a constant per scene that brings the task to its TargetRate. Frozen once calibrated: any
// thread may ask.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "simulation/culture.h"
#include "simulation/impression.h"
#include "simulation/platform_options.h"

namespace antiphon {

using TaskLogits = std::array<double, kTaskCount>;

class Truth {
 public:
  // Of the options it reads seed, harmony, drift, kinship and character.
  explicit Truth(const PlatformOptions& options);

  // Sets the constants of `scene` so that `traffic`, showings in that scene, has the target rates.
  void Calibrate(Scene scene, std::span<const Showing> traffic);

  // Logits of the click and, given the click, of the other tasks.
  TaskLogits Logits(const Showing& showing) const;
  Chances ChancesOf(const Showing& showing) const;

 private:
  struct TaskEffects {
    Interests interest_weights{};
    std::array<ContentVector, kSceneCount> avatar_weights{};
    std::array<ContentVector, kSceneCount> text_weights{};
    std::array<std::array<float, kCategoryCount>, kSceneCount> scene_category{};
    std::array<float, kCategoryCount> fashion{};    // change over the period
    std::array<float, kCategoryCount> peak_hour{};  // when the category is liked best
    std::array<double, kSceneCount> constant{};
  };

  double LogitWithoutConstant(Task task, const Showing& showing) const;

  std::array<TaskEffects, kTaskCount> effects_;
  double harmony_;
  double drift_;
  double kinship_;
  double character_;
  ContentVector harmony_weights_;
};

}  // namespace antiphon
