// RingQueue: first in, first out, in memory that is used again.
//
// std::deque takes and gives back a block every few items; this one allocates only to hold more
// than it ever did. Grows without a bound: whoever fills it keeps one. Not guarded.
#pragma once

#include <bit>
#include <cstddef>
#include <utility>
#include <vector>

#include "common/base/logging.h"

namespace antiphon {

// T is made by its default constructor where nothing is queued.
template <typename T>
class RingQueue {
 public:
  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }

  // The i-th item from the front.
  T& operator[](size_t i) {
    DCHECK_LT(i, size_);
    return slots_[(front_ + i) & (slots_.size() - 1)];
  }
  T& front() { return (*this)[0]; }

  void push_back(T item) {
    if (size_ == slots_.size()) {
      Grow();
    }
    ++size_;
    (*this)[size_ - 1] = std::move(item);
  }

  // What the item held is given back now, not when its place is taken.
  T pop_front() {
    T item = std::exchange(front(), T());
    front_ = (front_ + 1) & (slots_.size() - 1);
    --size_;
    return item;
  }

 private:
  void Grow() {
    std::vector<T> wider(std::bit_ceil(slots_.size() + 4));
    for (size_t i = 0; i < size_; ++i) {
      wider[i] = std::move((*this)[i]);
    }
    slots_ = std::move(wider);
    front_ = 0;
  }

  std::vector<T> slots_;  // none, or a power of two
  size_t front_ = 0;
  size_t size_ = 0;
};

}  // namespace antiphon
