// LivePointer: the newest of a row of frozen objects, which one thread replaces while others read.
//
// A reader keeps what it reads and looks at one number, which changes only when there is something
// newer; it takes the lock then and only then. What was replaced is let go by the thread that
// publishes, never by a reader: freeing a large object must not fall into somebody's request.
// Guarded: any thread may call it; a Reader is owned by one thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "common/base/mutex.h"

namespace antiphon {

template <typename T>
class LivePointer {
 public:
  explicit LivePointer(std::shared_ptr<const T> first) : newest_(std::move(first)) {}

  // Readers see it when they look the next time.
  void Publish(std::shared_ptr<const T> next) AP_EXCLUDES(mu_) {
    {
      MutexLock lock(mu_);
      replaced_.push_back(std::move(newest_));
      newest_ = std::move(next);
      // Under the lock: whoever sees the number finds the object that it stands for, or a newer
      // one.
      generation_.fetch_add(1, std::memory_order_release);
    }
    LetGo();
  }

  // Frees what was replaced and is read by nobody any more.
  void LetGo() AP_EXCLUDES(mu_) {
    std::vector<std::shared_ptr<const T>> free;  // goes after the lock
    MutexLock lock(mu_);
    for (size_t i = 0; i < replaced_.size();) {
      // No reader can come to it any more, so a count of one stays one.
      if (replaced_[i].use_count() == 1) {
        free.push_back(std::move(replaced_[i]));
        replaced_[i] = std::move(replaced_.back());
        replaced_.pop_back();
      } else {
        ++i;
      }
    }
  }

  std::shared_ptr<const T> newest() const AP_EXCLUDES(mu_) {
    MutexLock lock(mu_);
    return newest_;
  }

  // Of objects that were replaced, how many are still there.
  size_t kept() const AP_EXCLUDES(mu_) {
    MutexLock lock(mu_);
    return replaced_.size();
  }

  class Reader {
   public:
    // `source` outlives the reader.
    explicit Reader(const LivePointer& source) : source_(source) { Take(); }

    // The newest; stays there until this is called again.
    const std::shared_ptr<const T>& Get() {
      if (source_.generation_.load(std::memory_order_acquire) != seen_) {
        Take();
      }
      return mine_;
    }

   private:
    void Take() {
      MutexLock lock(source_.mu_);
      mine_ = source_.newest_;
      seen_ = source_.generation_.load(std::memory_order_relaxed);  // changes under the lock alone
    }

    const LivePointer& source_;
    std::shared_ptr<const T> mine_;
    uint64_t seen_ = 0;
  };

 private:
  mutable Mutex mu_;
  std::shared_ptr<const T> newest_ AP_GUARDED_BY(mu_);
  std::vector<std::shared_ptr<const T>> replaced_ AP_GUARDED_BY(mu_);
  std::atomic<uint64_t> generation_ = 0;
};

}  // namespace antiphon
