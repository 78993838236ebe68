// BoundedQueue: how threads of one process hand work to each other.
//
// Guarded state: any thread may call anything. The capacity is fixed; a full queue makes Push wait
// and TryPush fail, so nothing grows without a bound and nothing is dropped in silence.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <utility>

#include "common/base/mutex.h"
#include "common/base/ring_queue.h"

namespace antiphon {

template <typename T>
class BoundedQueue {
 public:
  explicit BoundedQueue(size_t capacity) : capacity_(capacity) {}

  // Waits for room. False, and the item is gone, once the queue is closed.
  bool Push(T item) AP_EXCLUDES(mu_) {
    MutexLock lock(mu_);
    while (items_.size() >= capacity_ && !closed_) {
      not_full_.Wait(mu_);
    }
    if (closed_) {
      return false;
    }
    items_.push_back(std::move(item));
    not_empty_.Signal();
    return true;
  }

  // False when the queue is full or closed; `item` is then left as it was.
  bool TryPush(T& item) AP_EXCLUDES(mu_) {
    MutexLock lock(mu_);
    if (closed_ || items_.size() >= capacity_) {
      return false;
    }
    items_.push_back(std::move(item));
    not_empty_.Signal();
    return true;
  }

  // Waits for an item. Empty once the queue is closed and drained.
  std::optional<T> Pop() AP_EXCLUDES(mu_) {
    MutexLock lock(mu_);
    while (items_.empty() && !closed_) {
      not_empty_.Wait(mu_);
    }
    return TakeFront();
  }

  // As Pop, but also empty when `timeout` passes first. Zero does not wait.
  std::optional<T> PopFor(std::chrono::nanoseconds timeout) AP_EXCLUDES(mu_) {
    MutexLock lock(mu_);
    while (items_.empty() && !closed_) {
      if (timeout.count() == 0 || !not_empty_.WaitFor(mu_, timeout)) {
        break;
      }
    }
    return TakeFront();
  }

  // No more items go in; those inside can still be popped. Wakes everybody who waits.
  void Close() AP_EXCLUDES(mu_) {
    MutexLock lock(mu_);
    closed_ = true;
    not_full_.SignalAll();
    not_empty_.SignalAll();
  }

  size_t size() const AP_EXCLUDES(mu_) {
    MutexLock lock(mu_);
    return items_.size();
  }
  size_t capacity() const { return capacity_; }

 private:
  std::optional<T> TakeFront() AP_REQUIRES(mu_) {
    if (items_.empty()) {
      return std::nullopt;
    }
    std::optional<T> item(items_.pop_front());
    not_full_.Signal();
    return item;
  }

  const size_t capacity_;
  mutable Mutex mu_;
  CondVar not_full_;
  CondVar not_empty_;
  RingQueue<T> items_ AP_GUARDED_BY(mu_);
  bool closed_ AP_GUARDED_BY(mu_) = false;
};

}  // namespace antiphon
