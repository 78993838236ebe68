// Calendar: how the traffic of the simulated period lies in time.
//
// Every day brings the same number of impressions; inside a day they follow an hourly rhythm with
// its peak in the evening. Frozen after construction: any thread may ask.
#pragma once

#include <array>
#include <cstdint>

namespace antiphon {

// A point of the period, in the units that different readers need.
struct Moment {
  int64_t time_ms = 0;  // since 1970, UTC
  double progress = 0;  // share of the period's traffic that is over, in [0, 1)
  int hour = 0;         // of the day, 0 .. 23
  int slot = 0;         // half hours since the period began
};

inline constexpr int kHoursADay = 24;
inline constexpr int kSlotsADay = 48;
inline constexpr int64_t kUsualBeginMs = 1767225600000;  // 2026-01-01 00:00 UTC

class Calendar {
 public:
  // `days` is at least 1. Whenever the period begins, its first hour is hour 0 of the day.
  explicit Calendar(int days, int64_t begin_ms = kUsualBeginMs);

  // When `progress` of the traffic is over; later for a larger progress. In [0, 1).
  Moment At(double progress) const;

  // How much of the traffic is over so long after the beginning: 1 from the end on.
  double ProgressAfter(double seconds) const;

  int64_t begin_ms() const { return begin_ms_; }
  int days() const { return days_; }
  int slot_count() const { return days_ * kSlotsADay; }

 private:
  int days_;
  int64_t begin_ms_;
  std::array<double, kHoursADay + 1> traffic_before_hour_;  // shares of a day's traffic
};

}  // namespace antiphon
