// Mutex, MutexLock and CondVar with clang's thread-safety annotations.
//
// Guarded data is private to its class and marked AP_GUARDED_BY(mu_). No callback runs under a
// lock. These wrap std::mutex and std::condition_variable, which appear nowhere else.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define AP_THREAD_ANNOTATION_(x) __attribute__((x))
#else
#define AP_THREAD_ANNOTATION_(x)
#endif
#define AP_CAPABILITY(x) AP_THREAD_ANNOTATION_(capability(x))
#define AP_SCOPED_CAPABILITY AP_THREAD_ANNOTATION_(scoped_lockable)
#define AP_GUARDED_BY(x) AP_THREAD_ANNOTATION_(guarded_by(x))
#define AP_REQUIRES(...) AP_THREAD_ANNOTATION_(requires_capability(__VA_ARGS__))
#define AP_ACQUIRE(...) AP_THREAD_ANNOTATION_(acquire_capability(__VA_ARGS__))
#define AP_RELEASE(...) AP_THREAD_ANNOTATION_(release_capability(__VA_ARGS__))
#define AP_EXCLUDES(...) AP_THREAD_ANNOTATION_(locks_excluded(__VA_ARGS__))
#define AP_NO_THREAD_SAFETY_ANALYSIS AP_THREAD_ANNOTATION_(no_thread_safety_analysis)

namespace antiphon {

class AP_CAPABILITY("mutex") Mutex {
 public:
  void Lock() AP_ACQUIRE() { mu_.lock(); }
  void Unlock() AP_RELEASE() { mu_.unlock(); }

 private:
  friend class CondVar;
  std::mutex mu_;
};

// Holds a Mutex for a scope.
class AP_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mu) AP_ACQUIRE(mu) : mu_(mu) { mu_.Lock(); }
  ~MutexLock() AP_RELEASE() { mu_.Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mu_;
};

// Waits are always in a loop over the condition, under the mutex that guards it.
class CondVar {
 public:
  void Wait(Mutex& mu) AP_REQUIRES(mu) {
    std::unique_lock<std::mutex> lock(mu.mu_, std::adopt_lock);
    condition_.wait(lock);
    lock.release();
  }
  // False when `timeout` passed first.
  bool WaitFor(Mutex& mu, std::chrono::nanoseconds timeout) AP_REQUIRES(mu) {
    std::unique_lock<std::mutex> lock(mu.mu_, std::adopt_lock);
    // A wait on the system clock: TSan of g++ 12 does not see pthread_cond_clockwait.
    const bool in_time = condition_.wait_until(lock, std::chrono::system_clock::now() + timeout) ==
                         std::cv_status::no_timeout;
    lock.release();
    return in_time;
  }
  void Signal() { condition_.notify_one(); }
  void SignalAll() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace antiphon
