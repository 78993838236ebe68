#include "common/base/thread.h"

#include <cstdint>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>

namespace antiphon {
namespace {

// What sched_setattr(2) takes, in its first version; the C library has no name for it yet.
struct SchedulingRequest {
  uint32_t size = sizeof(SchedulingRequest);
  uint32_t policy = 0;
  uint64_t flags = 0;
  int32_t nice = 0;
  uint32_t priority = 0;
  uint64_t turn_ns = 0;
  uint64_t deadline_ns = 0;
  uint64_t period_ns = 0;
};
static_assert(sizeof(SchedulingRequest) == 48);

}  // namespace

Thread::Thread(const std::string& name, std::function<void()> body)
    : thread_([short_name = name.substr(0, 15), body = std::move(body)] {
        pthread_setname_np(pthread_self(), short_name.c_str());
        body();
      }) {}

Thread& Thread::operator=(Thread&& other) noexcept {
  if (this != &other) {
    Join();
    thread_ = std::move(other.thread_);
  }
  return *this;
}

void Thread::Join() {
  if (thread_.joinable()) {
    thread_.join();
  }
}

void LetOthersGoFirst() {
  SchedulingRequest request;
  // A batch thread that wakes up interrupts nobody; and the longest turn that there is means that
  // every other thread, whose turn is shorter, may interrupt it.
  request.policy = SCHED_BATCH;
  request.nice = ::getpriority(PRIO_PROCESS, 0);  // as it is: to ask for more might be refused
  request.turn_ns = 100'000'000;
  (void)::syscall(SYS_sched_setattr, 0, &request, 0);
}

}  // namespace antiphon
