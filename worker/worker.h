// Worker: a training thread that leads a Session, and the agent thread that keeps its heartbeat.
//
// A worker that was stopped or cut off for so long that the scheduler took it for dead, and gave
// its lease to another, is fenced: nothing of it is applied any more. It then joins again, with a
// new incarnation, an agent and a session of their own.
//
// Start, Stop and Wait may be called by any thread, once each; the session, its endpoint and the
// model belong to the training thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "common/base/status.h"
#include "common/base/thread.h"
#include "common/net/node_agent.h"
#include "common/net/transport.h"
#include "worker/session.h"

namespace antiphon {

struct WorkerOptions {
  std::string scheduler_address;
  Incarnation incarnation = 0;  // random, not 0; those of later lives follow from it
  uint64_t job_digest = 0;
  int64_t replaces_pid = 0;  // RegisterRequest.replaces_pid; 0: nobody's
  Duration register_timeout = std::chrono::seconds(30);
  Duration scheduler_timeout = std::chrono::seconds(60);
};

class Worker {
 public:
  // The transport, the clock and the factory outlive the worker.
  static StatusOr<std::unique_ptr<Worker>> Start(Transport& transport, Clock& clock,
                                                 EngineFactory& factory,
                                                 const WorkerOptions& options);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Waits for the end of the job: Ok when it finished or was stopped, otherwise why not.
  Status Wait() AP_EXCLUDES(mu_);
  // Whether the end came within `timeout`.
  bool WaitFor(Duration timeout) AP_EXCLUDES(mu_);

  // Ends the worker as soon as the batch in hand is computed; what it has pushed stays. Wait then
  // says kCancelled.
  void Stop();

 private:
  Worker(const WorkerOptions& options, Transport& transport, std::unique_ptr<Endpoint> endpoint,
         Clock& clock, EngineFactory& factory);
  StatusOr<std::shared_ptr<NodeAgent>> StartAgent(Incarnation incarnation);
  std::shared_ptr<NodeAgent> agent() AP_EXCLUDES(mu_);
  void Run();
  // One life, from registration to the end; kStaleEpoch when it was fenced.
  Status Train(Incarnation incarnation);
  Status WaitForTheEnd();

  const WorkerOptions options_;
  Transport& transport_;
  std::unique_ptr<Endpoint> endpoint_;  // the training thread's
  std::shared_ptr<Waker> waker_;
  Clock& clock_;
  EngineFactory& factory_;
  std::atomic<bool> stop_{false};

  Mutex mu_;
  std::shared_ptr<NodeAgent> agent_ AP_GUARDED_BY(mu_);  // of the present life
  CondVar ended_;
  bool done_ AP_GUARDED_BY(mu_) = false;
  Status result_ AP_GUARDED_BY(mu_);

  Thread thread_;
};

}  // namespace antiphon
