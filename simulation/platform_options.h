// PlatformOptions: which platform is simulated. Two equal options give the same bytes.
#pragma once

#include <cstdint>

#include "common/base/status.h"
#include "simulation/calendar.h"

namespace antiphon {

inline constexpr int64_t kLatestBeginMs = 4102444800000;  // 2100-01-01

struct PlatformOptions {
  uint64_t seed = 1;
  int days = 14;                     // length of the period
  int64_t begin_ms = kUsualBeginMs;  // of the period, since 1970
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
  // The deviation that each host alone brings to what follows a click: only its id tells it.
  double character = 0;
  // Each host is on air around the clock for so long, from a moment of its own, and is then gone
  // for good, as clips are. 0: it has shows, and most hosts are there through the whole period.
  double lifetime_days = 0;
};

// Names the option that is out of range and the range.
Status CheckPlatformOptions(const PlatformOptions& options);

}  // namespace antiphon
