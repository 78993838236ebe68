#include "scheduler/rate_meter.h"

namespace antiphon {

void RateMeter::Observe(uint64_t count, Time now) {
  const size_t size = points_.size();
  if (size >= 2 && now - points_[size - 2].at < kSpacing) {
    points_.back() = {.at = now, .count = count};
  } else {
    points_.push_back({.at = now, .count = count});
  }
  while (points_.size() > 2 && now - points_[1].at >= window_) {
    points_.pop_front();
  }
}

double RateMeter::PerSecond() const {
  if (points_.size() < 2) {
    return 0;
  }
  const double seconds = SecondsBetween(points_.front().at, points_.back().at);
  return seconds <= 0 ? 0
                      : static_cast<double>(points_.back().count - points_.front().count) / seconds;
}

}  // namespace antiphon
