// Lifecycle: in which state the job is, and when the scheduler may end.
//
// WAITING -> RUNNING -> FINISHED, or FAILED or STOPPED on the way; the first end is the one that
// counts. Every node learns of the end by the answer to its next heartbeat, so the scheduler stays
// for a moment. With `linger` a finished cluster keeps serving (its servers are told that the job
// still runs) until it is stopped. A state machine without a thread; `now` is passed in.
#pragma once

#include <optional>
#include <string>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "proto/cluster.pb.h"

namespace antiphon {

struct LifecycleOptions {
  Duration failure_linger = std::chrono::seconds(2);
  Duration finish_wait = std::chrono::seconds(3);
  // Between the last answer and the end: a connection that closes too early takes answers along.
  Duration goodbye = std::chrono::milliseconds(300);
  bool linger = false;
};

class Lifecycle {
 public:
  explicit Lifecycle(const LifecycleOptions& options) : options_(options) {}

  void Run();
  void Finish(Time now);
  void Fail(const Status& why, Time now);
  void Stop(Time now);  // by ps_ctl or a signal

  JobState state() const { return state_; }
  // FINISHED, FAILED or STOPPED.
  bool ended() const { return state_ >= JOB_FINISHED; }
  // What a node of this role is told.
  JobState StateFor(Role role) const;
  // Ok, why the job failed, or kCancelled.
  const Status& result() const { return result_; }

  // Whether the scheduler may end. `all_told`: every node that lives has been told of the end.
  bool Over(Time now, bool all_told);

 private:
  void End(JobState state, const Status& result, Time now);

  LifecycleOptions options_;
  JobState state_ = JOB_WAITING;
  Status result_;
  Time ended_at_;
  std::optional<Time> all_told_at_;
  bool lingers_ = false;
};

}  // namespace antiphon
