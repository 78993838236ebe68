#include "common/net/scheduler_link.h"

#include <algorithm>
#include <utility>

#include "common/base/logging.h"
#include "common/base/text.h"

namespace antiphon {

namespace {

constexpr Duration kRegisterAgainAfter = std::chrono::milliseconds(200);

Duration HeartbeatPeriod(const RegisterReply& registration) {
  // A peer's number: neither a busy loop nor silence for ever.
  return std::chrono::milliseconds(std::clamp<uint32_t>(registration.heartbeat_ms(), 10, 60'000));
}

}  // namespace

SchedulerLink::SchedulerLink(Endpoint& endpoint, Clock& clock, SchedulerLinkOptions options,
                             FillHeartbeat fill)
    : clock_(clock),
      options_(std::move(options)),
      fill_(std::move(fill)),
      rpc_(endpoint, clock, {.incarnation = options_.incarnation}, nullptr),
      last_heard_(clock.Now()),
      next_call_at_(last_heard_) {
  const StatusOr<PeerId> scheduler = endpoint.Connect(options_.scheduler_address);
  if (scheduler.ok()) {
    scheduler_ = *scheduler;
  } else {
    End(scheduler.status().WithContext("scheduler " + options_.scheduler_address));
  }
}

void SchedulerLink::Poll(Duration timeout) {
  if (ended_) {
    return;
  }
  const Time now = clock_.Now();
  if (!call_in_flight_ && now >= next_call_at_) {
    registered_ ? SendHeartbeat() : SendRegistration();
  } else if (!call_in_flight_) {
    timeout = std::min(timeout, next_call_at_ - now);
  }
  rpc_.Poll(timeout);
}

void SchedulerLink::SendRegistration() {
  call_in_flight_ = true;
  const Duration left = last_heard_ + options_.register_timeout - clock_.Now();
  rpc_.Call(scheduler_, METHOD_REGISTER, options_.registration, {},
            {.deadline = std::max(left, Duration::zero()), .retry_after = kRegisterAgainAfter},
            *this);
}

HeartbeatRequest SchedulerLink::NextHeartbeat() const {
  HeartbeatRequest request;
  request.set_role(options_.registration.role());
  request.set_node(registration_.node());
  return request;
}

void SchedulerLink::Leave(const std::string& reason, Duration patience) {
  if (ended_ || !registered_) {
    return;
  }
  HeartbeatRequest request = NextHeartbeat();
  request.set_leaving(reason);
  // An answer to an earlier heartbeat may come first; it ends the wait only if the job is over.
  farewell_ = rpc_.Call(scheduler_, METHOD_HEARTBEAT, request, {},
                        {.deadline = patience, .retry_after = patience / 4}, *this);
  const Time give_up = clock_.Now() + patience;
  for (Time now = clock_.Now(); !ended_ && now < give_up; now = clock_.Now()) {
    rpc_.Poll(give_up - now);
  }
  if (!ended_) {
    End(CancelledError("the node has left"));
  }
}

void SchedulerLink::SendHeartbeat() {
  HeartbeatRequest request = NextHeartbeat();
  fill_(request);
  call_in_flight_ = true;
  const Duration period = HeartbeatPeriod(registration_);
  next_call_at_ = clock_.Now() + period;
  const Duration left = last_heard_ + options_.scheduler_timeout - clock_.Now();
  // Repeated before the next one is due: a lost message must not cost a whole beat.
  rpc_.Call(scheduler_, METHOD_HEARTBEAT, request, {},
            {.deadline = std::max(left, Duration::zero()), .retry_after = period / 2}, *this);
}

void SchedulerLink::OnReply(CallId call, const Status& status, const Message& reply) {
  if (call == farewell_) {
    End(CancelledError("the node has left"));
    return;
  }
  call_in_flight_ = false;
  if (!status.ok()) {
    if (IsTransient(status)) {
      OnSilence(status);
    } else {
      End(status.WithContext("scheduler " + options_.scheduler_address +
                             (registered_ ? "" : " refused to register us")));
    }
    return;
  }
  registered_ ? OnHeartbeat(reply) : OnRegistered(reply);
}

// A scheduler that has a journal counts the schedulers of it, itself included. An earlier one can
// still be there when it was cut off, or when its journal was copied and its lock was not.
Status SchedulerLink::CheckNotOutranked(uint64_t scheduler_epoch) {
  if (scheduler_epoch >= scheduler_epoch_) {
    scheduler_epoch_ = scheduler_epoch;
    last_heard_ = clock_.Now();
    outranked_ = Status();
    return Status();
  }
  const bool is_news = outranked_.ok();
  outranked_ = UnavailableError(
      "scheduler " + std::to_string(scheduler_epoch) + " of this job answers, but scheduler " +
      std::to_string(scheduler_epoch_) +
      " has been heard: two of them run, nothing that the earlier one says is done; stop it");
  LOG_IF(WARNING, is_news) << outranked_;
  return outranked_;
}

bool SchedulerLink::IsTransient(const Status& status) const {
  return status.code() == StatusCode::kUnavailable ||
         status.code() == StatusCode::kDeadlineExceeded ||
         status.code() == StatusCode::kResourceExhausted;
}

void SchedulerLink::OnSilence(const Status& status) {
  const Time now = clock_.Now();
  const Duration allowed = registered_ ? options_.scheduler_timeout : options_.register_timeout;
  if (now - last_heard_ >= allowed) {
    End(UnavailableError("scheduler " + options_.scheduler_address + " has not answered for " +
                         FormatSeconds(SecondsBetween(last_heard_, now)) +
                         (registered_ ? "" : ", is it running?") + " (" +
                         (outranked_.ok() ? status : outranked_).message() + ")"));
    return;
  }
  next_call_at_ = std::max(next_call_at_, now + kRegisterAgainAfter);
}

void SchedulerLink::OnRegistered(const Message& reply) {
  const Status parsed = ParseMeta(reply, registration_);
  if (!parsed.ok()) {
    End(parsed.WithContext("scheduler " + options_.scheduler_address));
    return;
  }
  scheduler_epoch_ = registration_.scheduler_epoch();
  last_heard_ = clock_.Now();
  registered_ = true;
  rpc_.SetCluster(registration_.cluster_id(), 0);
  next_call_at_ = clock_.Now();
}

void SchedulerLink::OnHeartbeat(const Message& message) {
  HeartbeatReply reply;
  const Status parsed = ParseMeta(message, reply);
  if (!parsed.ok()) {
    End(parsed.WithContext("scheduler " + options_.scheduler_address));
    return;
  }
  if (const Status status = CheckNotOutranked(reply.scheduler_epoch()); !status.ok()) {
    OnSilence(status);
    return;
  }
  job_state_ = reply.state();
  view_epoch_ = std::max(view_epoch_, reply.view_epoch());
  may_leave_ = may_leave_ || reply.drain();
  switch (job_state_) {
    case JOB_WAITING:
    case JOB_RUNNING:
      return;
    case JOB_FINISHED:
    case JOB_STOPPED:
      End(Status());
      return;
    case JOB_FAILED:
      End(UnavailableError("the job failed: " + reply.reason()));
      return;
  }
}

void SchedulerLink::End(const Status& result) {
  ended_ = true;
  result_ = result;
}

}  // namespace antiphon
