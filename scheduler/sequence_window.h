// SequenceWindow: which of a peer's numbered messages have been seen, in little memory.
//
// Numbers start at 1 and each is sent again until answered, so gaps close soon; all numbers below
// the window count as seen. Owned by one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <utility>

namespace antiphon {

class SequenceWindow {
 public:
  bool Seen(uint64_t sequence) const { return sequence <= base_ || above_.contains(sequence); }

  void Mark(uint64_t sequence) {
    if (Seen(sequence)) {
      return;
    }
    above_.insert(sequence);
    while (!above_.empty() && (*above_.begin() == base_ + 1 || above_.size() > kMaxAhead)) {
      base_ = *above_.begin();
      above_.erase(above_.begin());
    }
  }

  // All that was seen, and back.
  uint64_t seen_through() const { return base_; }
  const std::set<uint64_t>& seen_beyond() const { return above_; }
  void Load(uint64_t seen_through, std::set<uint64_t> seen_beyond) {
    base_ = seen_through;
    above_ = std::move(seen_beyond);
  }

 private:
  static constexpr size_t kMaxAhead = 64;

  uint64_t base_ = 0;         // it and all below are seen
  std::set<uint64_t> above_;  // seen beyond a gap
};

}  // namespace antiphon
