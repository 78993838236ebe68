// PlatformOptions: which platform is simulated. Two equal options give the same bytes.
#pragma once

#include <cstdint>

#include "common/base/status.h"

namespace antiphon {

struct PlatformOptions {
  uint64_t seed = 1;
  int days = 14;     // length of the period
  int users = 6000;  // two thirds are there when the period begins, the others arrive during it
  int hosts = 400;
  int avatars = 4;  // that each host may be shown with
  int texts = 4;
  // The deviation that avatar and text bring to the click by how they go together.
  double harmony = 0;
  // How much more than usual tastes change over the period.
  double drift = 1;
  // How much the other tasks share of the click's propensity and appeal: their correlation with it.
  double kinship = 0;
};

// Names the option that is out of range and the range.
Status CheckPlatformOptions(const PlatformOptions& options);

}  // namespace antiphon
