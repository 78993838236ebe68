#include "common/net/node_agent.h"

#include <utility>

namespace antiphon {

namespace {

// Only bounds how long a lost wake-up could delay Stop.
constexpr Duration kLongestPoll = std::chrono::milliseconds(500);

// How long a node that leaves waits to hear that the scheduler knows.
constexpr Duration kFarewell = std::chrono::seconds(1);

}  // namespace

StatusOr<std::unique_ptr<NodeAgent>> NodeAgent::Start(Transport& transport, Clock& clock,
                                                      SchedulerLinkOptions options,
                                                      SchedulerLink::FillHeartbeat fill,
                                                      std::function<void()> on_end) {
  AP_ASSIGN_OR_RETURN(std::unique_ptr<Endpoint> endpoint,
                      transport.Open({.name = "agent", .listen_address = ""}));
  return std::unique_ptr<NodeAgent>(new NodeAgent(std::move(endpoint), clock, std::move(options),
                                                  std::move(fill), std::move(on_end)));
}

NodeAgent::NodeAgent(std::unique_ptr<Endpoint> endpoint, Clock& clock, SchedulerLinkOptions options,
                     SchedulerLink::FillHeartbeat fill, std::function<void()> on_end)
    : endpoint_(std::move(endpoint)),
      waker_(endpoint_->waker()),
      link_(*endpoint_, clock, std::move(options), std::move(fill)),
      on_end_(std::move(on_end)) {
  thread_ = Thread("agent", [this] { Run(); });
}

NodeAgent::~NodeAgent() {
  Stop("it ends");
}

void NodeAgent::Run() {
  bool told = false;
  while (!stop_.load() && !link_.ended()) {
    link_.Poll(kLongestPoll);
    Publish();
    if (link_.may_leave() && !std::exchange(told, true)) {
      on_end_();
    }
  }
  if (link_.ended()) {
    Publish();
    on_end_();
  } else {
    link_.Leave(LeavingReason(), kFarewell);
  }
  MutexLock lock(mu_);
  silent_ = true;
  changed_.SignalAll();
}

std::string NodeAgent::LeavingReason() const {
  MutexLock lock(mu_);
  return leaving_;
}

void NodeAgent::Publish() {
  MutexLock lock(mu_);
  if (link_.registered() && !registration_.has_value()) {
    registration_ = link_.registration();
  }
  job_state_ = link_.job_state();
  view_epoch_ = link_.view_epoch();
  may_leave_ = link_.may_leave();
  if (link_.ended() && !result_.has_value()) {
    result_ = link_.result();
  }
  changed_.SignalAll();
}

StatusOr<RegisterReply> NodeAgent::WaitUntilRegistered() {
  MutexLock lock(mu_);
  while (!registration_.has_value() && !result_.has_value()) {
    changed_.Wait(mu_);
  }
  if (registration_.has_value()) {
    return *registration_;
  }
  return result_->ok() ? CancelledError("the job ended before we had registered") : *result_;
}

JobState NodeAgent::job_state() const {
  MutexLock lock(mu_);
  return job_state_;
}

uint64_t NodeAgent::view_epoch() const {
  MutexLock lock(mu_);
  return view_epoch_;
}

bool NodeAgent::may_leave() const {
  MutexLock lock(mu_);
  return may_leave_;
}

std::optional<Status> NodeAgent::result() const {
  MutexLock lock(mu_);
  return result_;
}

void NodeAgent::Stop(const std::string& reason) {
  {
    MutexLock lock(mu_);
    if (leaving_.empty()) {
      leaving_ = reason;
    }
  }
  stop_.store(true);
  waker_->Wake();
  MutexLock lock(mu_);
  while (!silent_) {
    changed_.Wait(mu_);
  }
  if (!result_.has_value()) {
    result_ = CancelledError("the agent was stopped");
  }
  changed_.SignalAll();
}

}  // namespace antiphon
