// Hosts: those who stream. Each has a few avatars and texts that the platform may show for it.
//
// A pure function of culture, count and seed; frozen after construction.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "simulation/culture.h"

namespace antiphon {

inline constexpr int kAvatarsPerHost = 4;
inline constexpr int kTextsPerHost = 4;

struct Host {
  // What the samples show.
  uint32_t id = 0;
  int category = 0;
  int level = 0;
  int language = 0;
  int64_t fans = 0;
  // In hundredths, exactly what a file of samples says.
  std::array<ContentVector, kAvatarsPerHost> avatars{};
  std::array<ContentVector, kTextsPerHost> texts{};

  // What only the truth knows.
  float popularity = 1;  // how often it is shown while on air, as a weight
  Interests interests{};
  TaskValues appeal{};
  TaskValues trend{};  // change of the appeal over the period
};

std::vector<Host> MakeHosts(int count, const Culture& culture, uint64_t seed);

}  // namespace antiphon
