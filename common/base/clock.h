// Clock: where time comes from, so that a test can hold it.
//
// Deadlines and leases use Now(), which never jumps. The wall clock is for what people read, for
// the ages of samples and for the last-seen time of a row; no protocol decision depends on it. Any
// thread may call a Clock.
#pragma once

#include <chrono>
#include <cstdint>

namespace antiphon {

using Duration = std::chrono::nanoseconds;
using Time = std::chrono::time_point<std::chrono::steady_clock, Duration>;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Time Now() = 0;        // monotonic
  virtual int64_t WallMs() = 0;  // since 1970, UTC
  int64_t WallSeconds() { return WallMs() / 1000; }
};

// The machine's clocks.
class SystemClock final : public Clock {
 public:
  Time Now() override;
  int64_t WallMs() override;
};

// Seconds between two times, for rates and reports.
double SecondsBetween(Time begin, Time end);

}  // namespace antiphon
