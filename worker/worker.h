// Worker: a training thread that leads a Session, and the agent thread that keeps its heartbeat.
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
  Incarnation incarnation = 0;  // random, not 0
  uint64_t job_digest = 0;
  Duration register_timeout = std::chrono::seconds(30);
  Duration scheduler_timeout = std::chrono::seconds(10);
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
  Worker(std::unique_ptr<Endpoint> endpoint, Clock& clock, EngineFactory& factory);
  void Run(const WorkerOptions& options);
  Status Train(const WorkerOptions& options);
  Status WaitForTheEnd();

  std::unique_ptr<Endpoint> endpoint_;  // the training thread's
  std::shared_ptr<Waker> waker_;
  Clock& clock_;
  EngineFactory& factory_;
  std::unique_ptr<NodeAgent> agent_;
  std::atomic<bool> stop_{false};

  Mutex mu_;
  CondVar ended_;
  bool done_ AP_GUARDED_BY(mu_) = false;
  Status result_ AP_GUARDED_BY(mu_);

  Thread thread_;
};

}  // namespace antiphon
