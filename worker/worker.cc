#include "worker/worker.h"

#include <algorithm>
#include <unistd.h>
#include <utility>

namespace antiphon {
namespace {

// The longest that the training thread sleeps without looking whether the job is over.
constexpr Duration kLookAround = std::chrono::milliseconds(50);

// How long a finished worker waits to hear how the job ended.
constexpr Duration kGoodbye = std::chrono::seconds(4);

std::string HostName() {
  char name[256] = {};
  return gethostname(name, sizeof(name) - 1) == 0 ? name : "unknown";
}

}  // namespace

StatusOr<std::unique_ptr<Worker>> Worker::Start(Transport& transport, Clock& clock,
                                                EngineFactory& factory,
                                                const WorkerOptions& options) {
  AP_ASSIGN_OR_RETURN(std::unique_ptr<Endpoint> endpoint,
                      transport.Open({.name = "worker", .listen_address = ""}));
  std::unique_ptr<Worker> worker(new Worker(std::move(endpoint), clock, factory));
  SchedulerLinkOptions link{.scheduler_address = options.scheduler_address,
                            .incarnation = options.incarnation,
                            .registration = {},
                            .register_timeout = options.register_timeout,
                            .scheduler_timeout = options.scheduler_timeout};
  link.registration.set_role(ROLE_WORKER);
  link.registration.set_job_digest(options.job_digest);
  link.registration.set_pid(getpid());
  link.registration.set_host(HostName());
  AP_ASSIGN_OR_RETURN(worker->agent_,
                      NodeAgent::Start(
                          transport, clock, std::move(link), [](HeartbeatRequest&) {},
                          [waker = worker->waker_] { waker->Wake(); }));
  worker->thread_ = Thread("train", [raw = worker.get(), options] { raw->Run(options); });
  return worker;
}

Worker::Worker(std::unique_ptr<Endpoint> endpoint, Clock& clock, EngineFactory& factory)
    : endpoint_(std::move(endpoint)),
      waker_(endpoint_->waker()),
      clock_(clock),
      factory_(factory) {}

Worker::~Worker() {
  Stop();
  thread_.Join();
}

void Worker::Stop() {
  stop_.store(true);
  if (agent_ != nullptr) {
    agent_->Stop("told to stop");
  }
  waker_->Wake();
}

Status Worker::Wait() {
  MutexLock lock(mu_);
  while (!done_) {
    ended_.Wait(mu_);
  }
  return result_;
}

bool Worker::WaitFor(Duration timeout) {
  MutexLock lock(mu_);
  if (!done_) {
    ended_.WaitFor(mu_, timeout);
  }
  return done_;
}

void Worker::Run(const WorkerOptions& options) {
  const Status result = Train(options);
  agent_->Stop(result.ok() ? "nothing is left to train" : result.ToString());
  MutexLock lock(mu_);
  done_ = true;
  result_ = result;
  ended_.SignalAll();
}

Status Worker::Train(const WorkerOptions& options) {
  AP_ASSIGN_OR_RETURN(const RegisterReply registration, agent_->WaitUntilRegistered());
  RpcNode rpc(*endpoint_, clock_, {.incarnation = options.incarnation}, nullptr);
  AP_ASSIGN_OR_RETURN(const PeerId scheduler, endpoint_->Connect(options.scheduler_address));
  Session session(rpc, clock_, factory_, {.scheduler = scheduler, .node = registration.node()});
  while (!session.done()) {
    if (stop_.load()) {
      return CancelledError("the worker was told to stop");
    }
    if (const std::optional<Status> over = agent_->result(); over.has_value()) {
      return *over;
    }
    if (session.Advance()) {
      rpc.Poll(Duration::zero());
      continue;
    }
    const Duration until_due = std::max(Duration::zero(), session.next_due() - clock_.Now());
    rpc.Poll(until_due > Duration::zero() ? std::min(until_due, kLookAround) : kLookAround);
  }
  AP_RETURN_IF_ERROR(session.status());
  return WaitForTheEnd();
}

Status Worker::WaitForTheEnd() {
  // The last lease has said that the job is finished. The agent may hear of a late failure; that
  // the scheduler is gone by now is none.
  const Time patience = clock_.Now() + kGoodbye;
  while (!agent_->result().has_value() && !stop_.load() && clock_.Now() < patience) {
    endpoint_->Receive(kLookAround);
  }
  const std::optional<Status> over = agent_->result();
  return over.has_value() && over->code() != StatusCode::kUnavailable ? *over : Status();
}

}  // namespace antiphon
