// SightingCounter: how often ids without a row have been seen, about, in bounded memory.
//
// A count-min sketch of counters of 4 bits with conservative update (Estan and Varghese, "New
// directions in traffic measurement and accounting", 2002): an id has three counters, the smallest
// is its count, and only the smallest are raised. So a count may be too high, when ids share
// counters, and is never too low. Old sightings fade: every addition also halves the two counters
// under a hand that goes round once in `halve_after` additions, so no moment is spent on halving
// them all. Owned by one RowTable.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace antiphon {

class SightingCounter {
 public:
  static constexpr uint32_t kMaxCount = 15;

  // Takes about 2 bytes for each of `halve_after`, which is at least 1.
  explicit SightingCounter(uint64_t halve_after);

  // Counts one sighting; returns the count with it, at most kMaxCount. `hash` is uniform.
  uint32_t Add(uint64_t hash);

  // For a snapshot. Merge takes for each counter the larger of ours and theirs, so that no count
  // gets too low when the ids of several lanes come together; `at` + bytes.size() <=
  // bytes().size().
  std::span<const uint8_t> bytes() const { return counters_; }
  void Merge(size_t at, std::span<const uint8_t> bytes);

 private:
  uint32_t Get(uint64_t counter) const;
  void Increment(uint64_t counter);

  std::vector<uint8_t> counters_;  // two in a byte
  double hand_step_;               // bytes for each addition
  double hand_ = 0;                // what the last additions have not used of it
  size_t next_ = 0;                // the byte that the hand halves next
};

}  // namespace antiphon
