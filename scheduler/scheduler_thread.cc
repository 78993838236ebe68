#include "scheduler/scheduler_thread.h"

#include <utility>

namespace antiphon {
namespace {

// An upper bound on how late a timer may be seen; messages and Stop end the wait at once.
constexpr Duration kPollFor = std::chrono::milliseconds(100);

}  // namespace

SchedulerThread::SchedulerThread(std::unique_ptr<Scheduler> scheduler)
    : scheduler_(std::move(scheduler)),
      address_(scheduler_->address()),
      waker_(scheduler_->waker()),
      thread_("scheduler", [this] { Run(); }) {}

void SchedulerThread::Run() {
  while (scheduler_->Poll(kPollFor)) {
    if (stop_.load()) {
      scheduler_->RequestStop();
    }
  }
}

void SchedulerThread::Stop() {
  stop_.store(true);
  waker_->Wake();
  thread_.Join();
}

Status SchedulerThread::Wait() {
  thread_.Join();
  return scheduler_->result();
}

}  // namespace antiphon
