// What choices are worth: the true probability of a click, or of what follows one, of the triplets
// of host, text and avatar that a model has chosen for the requests of requests.csv, beside that of
// triplets taken at random and of the best ones there are. Pure functions.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/status.h"
#include "simulation/platform.h"
#include "simulation/scene.h"
#include "simulation/task.h"

namespace antiphon {

// Mean true probabilities over occasions to choose.
struct Worth {
  int64_t occasions = 0;
  double random = 0;  // of all triplets there were to choose from, each as likely
  double chosen = 0;
  double best = 0;

  // (chosen - random) / (best - random): 0 is chance, 1 is all there was to gain.
  double Share() const;
};

struct Judgement {
  Worth of_host;     // text and avatar chosen for a host that was given
  Worth of_request;  // and the host too, among those of the request: the one that scored highest
  std::array<Worth, kSceneCount> of_scene;  // the same, of the requests in each scene
};

// `choices` is CSV with a header: a line for each line of the platform's requests.csv, in its
// order, with host_id, avatar_id, text_id and the score, a column of the name `score`. `task` says
// whose probability counts, among impressions. Fails when the lines are not so; errors name the
// line.
StatusOr<Judgement> JudgeChoices(const Platform& platform, int64_t requests,
                                 std::string_view choices, const std::string& score, Task task);

// As an aligned table for people, with a heading.
std::string JudgementTable(const Judgement& judgement);

}  // namespace antiphon
