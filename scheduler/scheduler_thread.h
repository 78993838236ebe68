// SchedulerThread: a Scheduler on a thread of its own.
//
// Start, Stop and Wait belong to the owner; the scheduler itself is touched by its thread only.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "common/base/status.h"
#include "common/base/thread.h"
#include "scheduler/scheduler.h"

namespace antiphon {

class SchedulerThread {
 public:
  explicit SchedulerThread(std::unique_ptr<Scheduler> scheduler);
  ~SchedulerThread() { Stop(); }

  const std::string& address() const { return address_; }

  // Ends the job, if it has not ended, and waits until all nodes have been told. May be called
  // twice.
  void Stop();
  // Waits until the scheduler is over; returns its result.
  Status Wait();

 private:
  void Run();

  std::unique_ptr<Scheduler> scheduler_;
  const std::string address_;
  const std::shared_ptr<Waker> waker_;
  std::atomic<bool> stop_{false};
  Thread thread_;
};

}  // namespace antiphon
