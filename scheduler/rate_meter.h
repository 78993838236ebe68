// RateMeter: how fast a count grows over the last seconds. Without a clock; owned by one thread.
#pragma once

#include <cstdint>
#include <deque>

#include "common/base/clock.h"

namespace antiphon {

class RateMeter {
 public:
  explicit RateMeter(Duration window = std::chrono::seconds(10)) : window_(window) {}

  // The count as of `now`; it never falls.
  void Observe(uint64_t count, Time now);
  // Counts a second over the window, 0 before two observations.
  double PerSecond() const;

 private:
  struct Point {
    Time at;
    uint64_t count = 0;
  };
  static constexpr Duration kSpacing = std::chrono::milliseconds(200);

  Duration window_;
  std::deque<Point> points_;  // the last one is the newest, the others at least kSpacing apart
};

}  // namespace antiphon
