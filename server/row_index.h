// RowIndex: finds the rows of one (table, shard) by key.
//
// Open addressing with linear probing over packed slots of 5 bytes: a tag of 8 bits of the key's
// hash (0: empty) and a row id. Keys are not stored: a slot whose tag matches is checked against
// the row's header. The home slot is the hash scaled to the capacity, so a capacity need not be a
// power of two, and the index grows by 1.3 when it is 7/8 full: at most 5/(0.875/1.3) = 7.4 bytes
// a row. Shards are small, so one growth never takes long. Owned by one RowTable, on its thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

#include "common/base/hash.h"
#include "common/base/types.h"
#include "server/row_layout.h"
#include "server/row_store.h"

namespace antiphon {

// What an index must know of its table to look behind a slot.
struct IndexedRows {
  const RowStore* store = nullptr;
  TableId table = 0;
  uint32_t shard_count = 0;
};

class RowIndex {
 public:
  struct Slot {
    uint8_t tag = 0;
    RowId row = 0;
  };

  RowIndex() =
      default;  // of a shard that is not owned: capacity 0, Find and Insert are not allowed

  // Makes an unowned index an owned, empty one.
  void Open();
  bool owned() const { return capacity_ != 0; }

  static uint8_t TagOf(uint64_t hash) {
    const auto tag = static_cast<uint8_t>(hash);
    return tag == 0 ? 1 : tag;
  }
  // The shard was chosen by the high bits of `hash`; the product's low word is what they left over,
  // uniform among the keys of this shard.
  size_t HomeOf(uint64_t hash, uint32_t shard_count) const {
    return ReduceRange(hash * shard_count, capacity_);
  }
  Slot slot(size_t position) const {
    uint64_t packed;
    std::memcpy(&packed, slots_.get() + position * kSlotBytes, sizeof(packed));
    return {.tag = static_cast<uint8_t>(packed), .row = static_cast<RowId>(packed >> 8)};
  }
  size_t Next(size_t position) const { return position + 1 == capacity_ ? 0 : position + 1; }
  void PrefetchSlot(size_t position) const {
    __builtin_prefetch(slots_.get() + position * kSlotBytes);
  }

  // The row of `key`, or null. `hash` is its PlacementHash.
  std::byte* Find(Key key, uint64_t hash, const IndexedRows& rows) const;

  // Adds a row whose key is in its header and not yet in the index.
  void Insert(uint64_t hash, RowId row, const IndexedRows& rows);

  // Removes the key and closes the gap that it leaves. Returns its row's id through `row`; false
  // when there is no such key.
  bool Erase(Key key, uint64_t hash, const IndexedRows& rows, RowId* row);

  size_t size() const { return size_; }
  size_t capacity() const { return capacity_; }
  size_t bytes() const { return capacity_ == 0 ? 0 : capacity_ * kSlotBytes + kTailBytes; }

 private:
  static constexpr size_t kSlotBytes = 5;
  static constexpr size_t kTailBytes = sizeof(uint64_t) - kSlotBytes;  // slot() reads 8 bytes
  static constexpr size_t kNone = ~size_t{0};

  size_t PositionOf(Key key, uint64_t hash, const IndexedRows& rows) const;
  void Place(uint64_t hash, RowId row, uint32_t shard_count);
  void Write(size_t position, Slot slot);
  void Grow(const IndexedRows& rows);

  std::unique_ptr<uint8_t[]> slots_;
  size_t capacity_ = 0;
  size_t size_ = 0;
  size_t grow_at_ = 0;  // the size that makes it grow
};

}  // namespace antiphon
