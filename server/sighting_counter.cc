#include "server/sighting_counter.h"

#include <algorithm>
#include <array>

#include "common/base/hash.h"
#include "common/base/logging.h"

namespace antiphon {

namespace {

constexpr size_t kMinBytes = 1024;
constexpr size_t kCountersOfAnId = 3;

}  // namespace

SightingCounter::SightingCounter(uint64_t halve_after)
    : counters_(std::max<size_t>(kMinBytes, 2 * halve_after)),
      hand_step_(static_cast<double>(counters_.size()) / static_cast<double>(halve_after)) {}

uint32_t SightingCounter::Get(uint64_t counter) const {
  return counters_[counter / 2] >> (counter % 2 * 4) & kMaxCount;
}

void SightingCounter::Increment(uint64_t counter) {
  counters_[counter / 2] = static_cast<uint8_t>(counters_[counter / 2] + (1U << (counter % 2 * 4)));
}

uint32_t SightingCounter::Add(uint64_t hash) {
  // The hand first: what is counted now is worth a whole turn.
  for (hand_ += hand_step_; hand_ >= 1; hand_ -= 1) {
    counters_[next_] = static_cast<uint8_t>(counters_[next_] >> 1 & 0x77);
    next_ = next_ + 1 == counters_.size() ? 0 : next_ + 1;
  }
  std::array<uint64_t, kCountersOfAnId> mine;
  uint32_t count = kMaxCount;
  for (size_t i = 0; i < mine.size(); ++i) {
    mine[i] = ReduceRange(Mix64(hash, i), 2 * counters_.size());
    count = std::min(count, Get(mine[i]));
  }
  if (count == kMaxCount) {
    return count;
  }
  for (const uint64_t counter : mine) {
    // Two of them may be the same.
    if (Get(counter) == count) {
      Increment(counter);
    }
  }
  return count + 1;
}

void SightingCounter::Merge(size_t at, std::span<const uint8_t> bytes) {
  CHECK_LE(at + bytes.size(), counters_.size());
  for (size_t i = 0; i < bytes.size(); ++i) {
    uint8_t& mine = counters_[at + i];
    mine = static_cast<uint8_t>(std::max(mine & 0x0f, bytes[i] & 0x0f) |
                                std::max(mine & 0xf0, bytes[i] & 0xf0));
  }
}

}  // namespace antiphon
