// Culture: what the people of the platform have in common.
//
// It holds the effects of everything that can be observed: which interests go with an age band, a
// city or a declared favourite, what a host's category and level promise, which pictures and texts
// an interest responds to. Users and hosts are made from it plus a deviation of their own, so
// attributes explain most of somebody nobody has seen before and an id explains the rest.
//
// A pure function of the seed; frozen after construction.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "common/base/rng.h"
#include "simulation/task.h"

namespace antiphon {

inline constexpr int kInterestDims = 4;  // latent factors of users and hosts
inline constexpr int kVectorDims = 8;    // floats of an avatar or text vector

inline constexpr int kCategoryCount = 8;  // of hosts; also what a user may declare as favourite
inline constexpr int kAgeBandCount = 6;
inline constexpr int kCityCount = 12;
inline constexpr int kLanguageCount = 4;
inline constexpr int kDeviceCount = 3;
inline constexpr int kLevelCount = 5;

using Interests = std::array<float, kInterestDims>;
using TaskValues = std::array<float, kTaskCount>;
using ContentVector = std::array<float, kVectorDims>;
// Turns interests into the direction of content that they respond to.
using ContentMap = std::array<std::array<float, kInterestDims>, kVectorDims>;

inline constexpr std::array<std::string_view, kCategoryCount> kCategoryNames = {
    "music", "dance", "games", "talk", "outdoor", "food", "sport", "study"};
inline constexpr std::array<std::string_view, kAgeBandCount> kAgeBandNames = {
    "under18", "18-24", "25-34", "35-44", "45-54", "over54"};
inline constexpr std::array<std::string_view, kLanguageCount> kLanguageNames = {"zh", "en", "es",
                                                                                "pt"};
inline constexpr std::array<std::string_view, kDeviceCount> kDeviceNames = {"android", "ios",
                                                                            "web"};

struct Culture {
  explicit Culture(uint64_t seed);

  std::array<Interests, kCategoryCount> category_interests;
  std::array<Interests, kAgeBandCount> age_interests;
  std::array<Interests, kCityCount> city_interests;

  // How readily somebody does each task.
  std::array<TaskValues, kAgeBandCount> age_propensity;
  std::array<TaskValues, kCityCount> city_propensity;
  std::array<TaskValues, kDeviceCount> device_propensity;

  // How strongly a host invites to each task.
  std::array<TaskValues, kLevelCount> level_appeal;
  std::array<TaskValues, kCategoryCount> category_appeal;

  ContentMap avatar_of_interests;
  ContentMap text_of_interests;
};

// The content direction of `interests`; a unit deviation in every dimension stays one.
ContentVector ApplyContentMap(const ContentMap& map, const Interests& interests);

// Independent values with mean 0 and deviation 1.
template <size_t N>
std::array<float, N> NormalArray(Rng& rng) {
  std::array<float, N> values;
  for (float& value : values) {
    value = static_cast<float>(rng.Normal());
  }
  return values;
}

// to += weight * from.
template <size_t N>
void AddScaled(double weight, const std::array<float, N>& from, std::array<float, N>& to) {
  for (size_t i = 0; i < N; ++i) {
    to[i] += static_cast<float>(weight) * from[i];
  }
}

}  // namespace antiphon
