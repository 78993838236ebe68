// Hosts: those who stream. Each has a few avatars and texts that the platform may show for it.
//
// A pure function of culture and options; frozen after construction.
#pragma once

#include <cstdint>
#include <vector>

#include "simulation/culture.h"
#include "simulation/platform_options.h"

namespace antiphon {

struct Host {
  // What the samples show.
  uint32_t id = 0;
  int category = 0;
  int level = 0;
  int language = 0;
  int64_t fans = 0;
  // In hundredths, exactly what a file of samples says.
  std::vector<ContentVector> avatars;
  std::vector<ContentVector> texts;

  // What only the truth knows.
  float popularity = 1;  // how often it is shown while on air, as a weight
  Interests interests{};
  TaskValues appeal{};
  TaskValues trend{};      // change of the appeal over the period
  TaskValues character{};  // of this host alone
};

// Of the options it reads hosts, avatars, texts and seed.
std::vector<Host> MakeHosts(const PlatformOptions& options, const Culture& culture);

}  // namespace antiphon
