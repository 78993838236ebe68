// StepClock: where the time of a training thread goes, for the report.
//
// The thread says what it begins to do; the time until the next word belongs to that. Reads the
// clock a few times a step and nothing else. Owned by the training thread.
#pragma once

#include <array>
#include <cstddef>

#include "common/base/clock.h"
#include "proto/metrics.pb.h"

namespace antiphon {

class StepClock {
 public:
  enum class Activity {
    kReadWait,  // for the next batch
    kLaneWait,  // for pulls, or for pushes when too many are under way
    kCopy,      // between batches, buffers and the model
    kCompute,   // forward and backward
    kOther,     // leases, reports, metrics
  };

  explicit StepClock(Clock& clock) : clock_(clock), since_(clock.Now()) {}

  void Begin(Activity activity) {
    const Time now = clock_.Now();
    spent_[static_cast<size_t>(activity_)] += now - since_;
    since_ = now;
    activity_ = activity;
  }

  void CountStep() { ++steps_; }

  // Adds what was spent since the last call, and forgets it.
  void TakeSeconds(StepSeconds& seconds) {
    Begin(activity_);
    seconds.set_steps(seconds.steps() + steps_);
    seconds.set_read_wait(seconds.read_wait() + Take(Activity::kReadWait));
    seconds.set_lane_wait(seconds.lane_wait() + Take(Activity::kLaneWait));
    seconds.set_copy(seconds.copy() + Take(Activity::kCopy));
    seconds.set_compute(seconds.compute() + Take(Activity::kCompute));
    seconds.set_other(seconds.other() + Take(Activity::kOther));
    steps_ = 0;
  }

 private:
  double Take(Activity activity) {
    Duration& spent = spent_[static_cast<size_t>(activity)];
    const double seconds = std::chrono::duration<double>(spent).count();
    spent = Duration::zero();
    return seconds;
  }

  Clock& clock_;
  Time since_;
  Activity activity_ = Activity::kOther;
  uint64_t steps_ = 0;
  std::array<Duration, 5> spent_{};
};

}  // namespace antiphon
