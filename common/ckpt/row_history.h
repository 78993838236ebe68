// RowHistory: what training noted about a row besides its weights, as rows of lanes and of
// snapshots (docs/snapshot.md) hold it. Pure functions.
#pragma once

#include <algorithm>
#include <cstdint>

#include "common/ckpt/approximate_counter.h"

namespace antiphon {

// The wall clock of rows: seconds since 2020-01-01, which 30 bits hold until 2054.
inline constexpr int64_t kRowEpochSeconds = 1'577'836'800;
inline constexpr uint32_t kRowSecondsMask = (1U << 30) - 1;

// The last second is not used: with flags it marks a place without a row (server/row_layout.h).
constexpr uint32_t RowSecondsFromUnix(int64_t seconds) {
  return static_cast<uint32_t>(
      std::clamp<int64_t>(seconds - kRowEpochSeconds, 0, int64_t{kRowSecondsMask} - 1));
}

struct RowHistory {
  uint32_t last_seen = 0;  // in seconds of rows, of the last gradient; 0: there was none
  ApproximateCount shows = 0;
  ApproximateCount clicks = 0;

  friend bool operator==(const RowHistory&, const RowHistory&) = default;
};

}  // namespace antiphon
