// How one embedding row lies in memory: a header of 16 bytes, the weights, the optimizer's state.
//
// A row is passed around as the address of its header; a RowLayout says where the rest is. Rows are
// packed without padding, at addresses that are multiples of 4. Owned by a lane's tables and
// touched only on that lane's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "common/base/types.h"
#include "common/ckpt/row_history.h"

namespace antiphon {

// Flags of a row, for snapshots: server/row_cut.h says what they mean.
inline constexpr uint32_t kRowReachedFlag = 1U << 30;
inline constexpr uint32_t kRowTouchedFlag = 1U << 31;
inline constexpr uint32_t kFreePlace = kRowTouchedFlag | kRowReachedFlag | kRowSecondsMask;

struct RowHeader {
  uint32_t key_low = 0;  // in halves, so that a row needs no more than 4-byte alignment
  uint32_t key_high = 0;
  uint32_t seen_and_flags = 0;  // seconds of the last gradient; the two high bits are flags
  ApproximateCount shows = 0;
  ApproximateCount clicks = 0;

  Key key() const { return static_cast<Key>(key_high) << 32 | key_low; }
  void set_key(Key key) {
    key_low = static_cast<uint32_t>(key);
    key_high = static_cast<uint32_t>(key >> 32);
  }

  // In seconds of rows; 0 for a row that was created and not trained yet.
  uint32_t last_seen() const { return seen_and_flags & kRowSecondsMask; }
  void set_last_seen(uint32_t row_seconds) {
    seen_and_flags = (seen_and_flags & ~kRowSecondsMask) | (row_seconds & kRowSecondsMask);
  }
  // All flags at once, `flags` being of those above.
  void set_flags(uint32_t flags) { seen_and_flags = last_seen() | flags; }
  RowHistory history() const {
    return {.last_seen = last_seen(), .shows = shows, .clicks = clicks};
  }
  int64_t last_seen_unix() const { return last_seen() == 0 ? 0 : kRowEpochSeconds + last_seen(); }

  friend bool operator==(const RowHeader&, const RowHeader&) = default;
};
static_assert(sizeof(RowHeader) == 16 && alignof(RowHeader) == 4);

inline RowHeader& HeaderOf(std::byte* row) {
  return *reinterpret_cast<RowHeader*>(row);
}
inline const RowHeader& HeaderOf(const std::byte* row) {
  return *reinterpret_cast<const RowHeader*>(row);
}
inline float* FloatsOf(std::byte* row) {
  return reinterpret_cast<float*>(row + sizeof(RowHeader));
}
inline const float* FloatsOf(const std::byte* row) {
  return reinterpret_cast<const float*>(row + sizeof(RowHeader));
}

struct RowLayout {
  uint32_t dim = 0;
  uint32_t state_floats = 0;

  uint32_t floats() const { return dim + state_floats; }
  uint32_t row_bytes() const {
    return static_cast<uint32_t>(sizeof(RowHeader) + floats() * sizeof(float));
  }

  std::span<const float> weights(const std::byte* row) const { return {FloatsOf(row), dim}; }
  std::span<const float> state(const std::byte* row) const {
    return {FloatsOf(row) + dim, state_floats};
  }
  // Weights and state, as a snapshot holds them.
  std::span<const float> values(const std::byte* row) const { return {FloatsOf(row), floats()}; }
};

}  // namespace antiphon
