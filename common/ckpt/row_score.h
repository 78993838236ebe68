// What a row is worth: its shows and clicks, weighted, halved for every half-life that has passed
// since its last push. Pure functions.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "common/ckpt/approximate_counter.h"
#include "common/ckpt/row_history.h"
#include "proto/row_policy.pb.h"

namespace antiphon {

// What is left of a count after the seconds from `last_seen` to `now`, in the seconds of rows.
inline double AgeFactor(uint32_t last_seen, uint32_t now, uint64_t half_life_seconds) {
  const double age = now > last_seen ? static_cast<double>(now - last_seen) : 0;
  return std::exp2(-age / static_cast<double>(half_life_seconds));
}

// With the defaults of the message where the table has no policy.
inline double RowScore(const RowHistory& row, const Eviction& policy, uint32_t now) {
  const double shows = static_cast<double>(CountValue(row.shows));
  const double clicks = static_cast<double>(CountValue(row.clicks));
  return (policy.show_weight() * shows + policy.click_weight() * clicks) *
         AgeFactor(row.last_seen, now, policy.half_life_seconds());
}

// `count` times `factor`, which is at most 1, up or down to a code with the right mean. `random` is
// 64 uniform bits.
inline ApproximateCount DecayedCount(ApproximateCount count, double factor, uint64_t random) {
  const double value = static_cast<double>(CountValue(count)) * factor;
  const double whole = std::floor(value);
  const bool up = static_cast<double>(random >> 40) * 0x1p-24 < value - whole;
  constexpr double kMost = 0xffffffff;
  const double sum = std::min(whole + (up ? 1 : 0), kMost);
  return AddToCount(0, static_cast<uint32_t>(sum), static_cast<uint32_t>(random));
}

}  // namespace antiphon
