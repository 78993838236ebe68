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

class Calendar {
 public:
  // `days` is at least 1.
  explicit Calendar(int days);

  // When `progress` of the traffic is over; later for a larger progress. In [0, 1).
  Moment At(double progress) const;

  int days() const { return days_; }
  int slot_count() const { return days_ * kSlotsADay; }

 private:
  int days_;
  std::array<double, kHoursADay + 1> traffic_before_hour_;  // shares of a day's traffic
};

}  // namespace antiphon
