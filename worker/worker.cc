#include "worker/worker.h"

#include <algorithm>
#include <unistd.h>
#include <utility>

#include "common/base/hash.h"

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
  std::unique_ptr<Worker> worker(
      new Worker(options, transport, std::move(endpoint), clock, factory));
  AP_ASSIGN_OR_RETURN(std::shared_ptr<NodeAgent> agent, worker->StartAgent(options.incarnation));
  {
    MutexLock lock(worker->mu_);
    worker->agent_ = std::move(agent);
  }
  worker->thread_ = Thread("train", [raw = worker.get()] { raw->Run(); });
  return worker;
}

Worker::Worker(const WorkerOptions& options, Transport& transport,
               std::unique_ptr<Endpoint> endpoint, Clock& clock, EngineFactory& factory)
    : options_(options),
      transport_(transport),
      endpoint_(std::move(endpoint)),
      waker_(endpoint_->waker()),
      clock_(clock),
      factory_(factory) {}

Worker::~Worker() {
  Stop();
  thread_.Join();
}

StatusOr<std::shared_ptr<NodeAgent>> Worker::StartAgent(Incarnation incarnation) {
  SchedulerLinkOptions link{.scheduler_address = options_.scheduler_address,
                            .incarnation = incarnation,
                            .registration = {},
                            .register_timeout = options_.register_timeout,
                            .scheduler_timeout = options_.scheduler_timeout};
  link.registration.set_role(ROLE_WORKER);
  link.registration.set_job_digest(options_.job_digest);
  link.registration.set_pid(getpid());
  link.registration.set_host(HostName());
  if (options_.replaces_pid != 0) {
    link.registration.set_replaces_pid(options_.replaces_pid);
  }
  AP_ASSIGN_OR_RETURN(std::unique_ptr<NodeAgent> agent,
                      NodeAgent::Start(
                          transport_, clock_, std::move(link), [](HeartbeatRequest&) {},
                          [waker = waker_] { waker->Wake(); }));
  return std::shared_ptr<NodeAgent>(std::move(agent));
}

std::shared_ptr<NodeAgent> Worker::agent() {
  MutexLock lock(mu_);
  return agent_;
}

void Worker::Stop() {
  stop_.store(true);
  if (const std::shared_ptr<NodeAgent> present = agent(); present != nullptr) {
    present->Stop("told to stop");
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

void Worker::Run() {
  Status result = Train(options_.incarnation);
  for (uint64_t life = 1; result.code() == StatusCode::kStaleEpoch && !stop_.load(); ++life) {
    LOG(WARNING) << "fenced, joins again: " << result;
    const Incarnation incarnation = Mix64(options_.incarnation, life) | 1;
    StatusOr<std::shared_ptr<NodeAgent>> agent = StartAgent(incarnation);
    if (!agent.ok()) {
      result = agent.status();
      break;
    }
    {
      MutexLock lock(mu_);
      agent_.swap(*agent);
    }
    agent->reset();  // that of the last life, whose end may take a moment
    result = Train(incarnation);
  }
  const std::shared_ptr<NodeAgent> last = agent();
  last->Stop(!result.ok()        ? result.ToString()
             : last->may_leave() ? "was drained"
                                 : "nothing is left to train");
  MutexLock lock(mu_);
  done_ = true;
  result_ = result;
  ended_.SignalAll();
}

Status Worker::Train(Incarnation incarnation) {
  const std::shared_ptr<NodeAgent> agent = this->agent();
  AP_ASSIGN_OR_RETURN(const RegisterReply registration, agent->WaitUntilRegistered());
  RpcNode rpc(*endpoint_, clock_, {.incarnation = incarnation}, nullptr);
  AP_ASSIGN_OR_RETURN(const PeerId scheduler, endpoint_->Connect(options_.scheduler_address));
  Session session(rpc, clock_, factory_, {.scheduler = scheduler, .node = registration.node()});
  while (!session.done()) {
    if (stop_.load()) {
      return CancelledError("the worker was told to stop");
    }
    if (const std::optional<Status> over = agent->result(); over.has_value()) {
      return *over;
    }
    session.NoteView(agent->view_epoch());
    if (agent->may_leave()) {
      session.Drain();
    }
    if (session.Advance()) {
      rpc.Poll(Duration::zero());
      continue;
    }
    const Duration until_due = std::max(Duration::zero(), session.next_due() - clock_.Now());
    rpc.Poll(until_due > Duration::zero() ? std::min(until_due, kLookAround) : kLookAround);
  }
  AP_RETURN_IF_ERROR(session.status());
  return agent->may_leave() ? Status() : WaitForTheEnd();
}

Status Worker::WaitForTheEnd() {
  // The last lease has said that the job is finished. The agent may hear of a late failure; that
  // the scheduler is gone by now is none.
  const std::shared_ptr<NodeAgent> agent = this->agent();
  const Time patience = clock_.Now() + kGoodbye;
  while (!agent->result().has_value() && !stop_.load() && clock_.Now() < patience) {
    endpoint_->Receive(kLookAround);
  }
  const std::optional<Status> over = agent->result();
  return over.has_value() && over->code() != StatusCode::kUnavailable ? *over : Status();
}

}  // namespace antiphon
