#include "common/net/memory_mailbox.h"

#include <algorithm>
#include <utility>

namespace antiphon {
namespace {

// For a heap whose front is the letter that is due first.
bool IsLater(const MemoryMailbox::Letter& a, const MemoryMailbox::Letter& b) {
  return a.deliver_at > b.deliver_at;
}

}  // namespace

Status MemoryMailbox::Put(Letter& letter, size_t limit) {
  MutexLock lock(mu_);
  if (closed_) {
    return UnavailableError(name_ + " is gone");
  }
  size_t& queued = queued_[letter.link];
  if (queued >= limit) {
    return ResourceExhaustedError(name_ + " has " + std::to_string(queued) +
                                  " messages of this peer that it did not receive yet");
  }
  ++queued;
  if (letter.deliver_at == Time()) {
    due_.push_back(std::move(letter));
  } else {
    delayed_.push_back(std::move(letter));
    std::push_heap(delayed_.begin(), delayed_.end(), IsLater);
  }
  changed_.Signal();
  return Status();
}

std::optional<MemoryMailbox::Letter> MemoryMailbox::TakeDue() {
  if (!delayed_.empty()) {
    const Time now = clock_.Now();
    while (!delayed_.empty() && delayed_.front().deliver_at <= now) {
      std::pop_heap(delayed_.begin(), delayed_.end(), IsLater);
      due_.push_back(std::move(delayed_.back()));
      delayed_.pop_back();
    }
  }
  if (due_.empty()) {
    return std::nullopt;
  }
  std::optional<Letter> letter(due_.pop_front());
  --queued_[letter->link];
  return letter;
}

std::optional<MemoryMailbox::Letter> MemoryMailbox::Take(Duration timeout) {
  constexpr Duration kLongest = std::chrono::hours(1);
  timeout = std::min(timeout, kLongest);
  MutexLock lock(mu_);
  while (true) {
    if (std::optional<Letter> letter = TakeDue(); letter.has_value()) {
      return letter;
    }
    if (std::exchange(woken_, false) || timeout <= Duration::zero()) {
      return std::nullopt;
    }
    // What passes while it waits is measured by the wait itself where it can be: a clock that a
    // test holds still must not turn a timeout into an endless wait.
    const Time before = clock_.Now();
    Duration wait = timeout;
    if (!delayed_.empty()) {
      wait = std::clamp(delayed_.front().deliver_at - before, Duration(1), timeout);
    }
    const bool signalled = changed_.WaitFor(mu_, wait);
    timeout -= signalled ? clock_.Now() - before : wait;
  }
}

void MemoryMailbox::Wake() {
  MutexLock lock(mu_);
  woken_ = true;
  changed_.Signal();
}

void MemoryMailbox::Close() {
  // The letters hold other mailboxes and buffers: they go when the lock is free.
  RingQueue<Letter> due;
  std::vector<Letter> delayed;
  MutexLock lock(mu_);
  closed_ = true;
  std::swap(due, due_);
  delayed.swap(delayed_);
  queued_.clear();
}

bool MemoryMailbox::closed() const {
  MutexLock lock(mu_);
  return closed_;
}

}  // namespace antiphon
