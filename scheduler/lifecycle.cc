#include "scheduler/lifecycle.h"

namespace antiphon {

void Lifecycle::Run() {
  if (state_ == JOB_WAITING) {
    state_ = JOB_RUNNING;
  }
}

void Lifecycle::End(JobState state, const Status& result, Time now) {
  if (ended()) {
    return;
  }
  state_ = state;
  result_ = result;
  ended_at_ = now;
}

void Lifecycle::Finish(Time now) {
  lingers_ = !ended() && options_.linger;
  End(JOB_FINISHED, Status(), now);
}

void Lifecycle::Fail(const Status& why, Time now) {
  End(JOB_FAILED, why, now);
}

void Lifecycle::Stop(Time now) {
  if (lingers_) {
    lingers_ = false;
    ended_at_ = now;
  }
  End(JOB_STOPPED, CancelledError("the job was stopped before its end"), now);
}

JobState Lifecycle::StateFor(Role role) const {
  return lingers_ && role == ROLE_SERVER ? JOB_RUNNING : state_;
}

bool Lifecycle::Over(Time now, bool all_told) {
  if (!ended() || lingers_) {
    return false;
  }
  const Duration since = now - ended_at_;
  if (state_ == JOB_FAILED) {
    return since >= options_.failure_linger;
  }
  if (all_told && !all_told_at_.has_value()) {
    all_told_at_ = now;
  }
  return since >= options_.finish_wait ||
         (all_told_at_.has_value() && now - *all_told_at_ >= options_.goodbye);
}

}  // namespace antiphon
