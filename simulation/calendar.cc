#include "simulation/calendar.h"

#include <algorithm>

namespace antiphon {
namespace {

constexpr int64_t kHourMs = 3600000;

// Relative traffic of each hour.
constexpr std::array<double, kHoursADay> kTrafficOfHour = {3, 2, 1, 1, 1, 1, 2, 3,  4,  4,  4, 5,
                                                           6, 5, 4, 4, 5, 6, 8, 10, 11, 11, 9, 6};

}  // namespace

Calendar::Calendar(int days, int64_t begin_ms)
    : days_(days), begin_ms_(begin_ms), traffic_before_hour_{} {
  for (size_t hour = 0; hour < kTrafficOfHour.size(); ++hour) {
    traffic_before_hour_[hour + 1] = traffic_before_hour_[hour] + kTrafficOfHour[hour];
  }
  const double whole_day = traffic_before_hour_.back();
  for (double& share : traffic_before_hour_) {
    share /= whole_day;
  }
}

Moment Calendar::At(double progress) const {
  const double days_over = progress * days_;
  const int day = std::min(static_cast<int>(days_over), days_ - 1);
  const double of_day = days_over - day;
  const auto next =
      std::upper_bound(traffic_before_hour_.begin() + 1, traffic_before_hour_.end() - 1, of_day);
  const int hour = static_cast<int>(next - traffic_before_hour_.begin()) - 1;
  const double begin = *(next - 1);
  const double of_hour = std::clamp((of_day - begin) / (*next - begin), 0.0, 0.9999999);

  Moment moment;
  moment.progress = progress;
  moment.hour = hour;
  moment.slot = day * kSlotsADay + hour * 2 + (of_hour >= 0.5 ? 1 : 0);
  moment.time_ms = begin_ms_ + (int64_t{day} * kHoursADay + hour) * kHourMs +
                   static_cast<int64_t>(of_hour * kHourMs);
  return moment;
}

double Calendar::ProgressAfter(double seconds) const {
  const double hours = seconds * 1000 / static_cast<double>(kHourMs);
  if (hours >= static_cast<double>(slot_count()) / 2) {
    return 1;
  }
  const auto whole = static_cast<int>(hours);
  const auto hour = static_cast<size_t>(whole % kHoursADay);
  const double before = traffic_before_hour_[hour];
  const double of_day = before + (hours - whole) * (traffic_before_hour_[hour + 1] - before);
  const int day = whole / kHoursADay;
  return (day + of_day) / days_;
}

}  // namespace antiphon
