// RecentCount: how often something happened in the last while, exactly. Owned by one thread.
#pragma once

#include <cstdint>
#include <deque>

namespace antiphon {

class RecentCount {
 public:
  explicit RecentCount(int64_t window_ms) : window_ms_(window_ms) {}

  // Times never decrease, in calls of both.
  void Add(int64_t time_ms) { times_ms_.push_back(time_ms); }

  // Of the times in (now - window, now].
  int64_t At(int64_t now_ms) {
    while (!times_ms_.empty() && times_ms_.front() <= now_ms - window_ms_) {
      times_ms_.pop_front();
    }
    return static_cast<int64_t>(times_ms_.size());
  }

 private:
  int64_t window_ms_;
  std::deque<int64_t> times_ms_;
};

}  // namespace antiphon
