// FakeClock: time that stands still until a test moves it. Any thread may call anything.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "common/base/clock.h"

namespace antiphon {

class FakeClock final : public Clock {
 public:
  Time Now() override { return Time(Duration(now_ns_.load())); }

  // The wall clock runs along, from a fixed second in 2023.
  int64_t WallMs() override {
    constexpr int64_t kWallStartMs = 1'700'000'000'000;
    return kWallStartMs +
           std::chrono::duration_cast<std::chrono::milliseconds>(Now().time_since_epoch() - kStart)
               .count();
  }

  void Advance(Duration by) { now_ns_.fetch_add(by.count()); }

 private:
  // Not zero, so that a Time that was never set is always in the past.
  static constexpr Duration kStart = std::chrono::hours(1);
  std::atomic<int64_t> now_ns_{kStart.count()};
};

}  // namespace antiphon
