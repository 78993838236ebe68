#include "server/row_index.h"

#include <algorithm>
#include <array>
#include <utility>

#include "common/base/logging.h"
#include "common/cluster/shard_map.h"

namespace antiphon {
namespace {

constexpr size_t kFirstCapacity = 16;

uint64_t HashOfRow(RowId row, const IndexedRows& rows) {
  return PlacementHash(rows.table, HeaderOf(rows.store->row(row)).key());
}

}  // namespace

void RowIndex::Open() {
  CHECK(!owned());
  slots_ = std::make_unique<uint8_t[]>(kFirstCapacity * kSlotBytes + kTailBytes);
  capacity_ = kFirstCapacity;
  grow_at_ = capacity_ * 7 / 8;
}

size_t RowIndex::PositionOf(Key key, uint64_t hash, const IndexedRows& rows) const {
  const uint8_t tag = TagOf(hash);
  for (size_t position = HomeOf(hash, rows.shard_count);; position = Next(position)) {
    const Slot found = slot(position);
    if (found.tag == tag && HeaderOf(rows.store->row(found.row)).key() == key) {
      return position;
    }
    if (found.tag == 0) {
      return kNone;
    }
  }
}

std::byte* RowIndex::Find(Key key, uint64_t hash, const IndexedRows& rows) const {
  const size_t position = PositionOf(key, hash, rows);
  return position == kNone ? nullptr : rows.store->row(slot(position).row);
}

void RowIndex::Write(size_t position, Slot slot) {
  uint8_t* const at = slots_.get() + position * kSlotBytes;
  *at = slot.tag;
  std::memcpy(at + 1, &slot.row, sizeof(slot.row));
}

void RowIndex::Place(uint64_t hash, RowId row, uint32_t shard_count) {
  size_t position = HomeOf(hash, shard_count);
  while (slot(position).tag != 0) {
    position = Next(position);
  }
  Write(position, {.tag = TagOf(hash), .row = row});
}

void RowIndex::Insert(uint64_t hash, RowId row, const IndexedRows& rows) {
  if (size_ == grow_at_) {
    Grow(rows);
  }
  Place(hash, row, rows.shard_count);
  ++size_;
}

bool RowIndex::Erase(Key key, uint64_t hash, const IndexedRows& rows, RowId* row) {
  size_t gap = PositionOf(key, hash, rows);
  if (gap == kNone) {
    return false;
  }
  *row = slot(gap).row;
  // A slot behind the gap moves into it unless its home lies after the gap: then probing finds it
  // where it is.
  for (size_t position = Next(gap);; position = Next(position)) {
    const Slot moved = slot(position);
    if (moved.tag == 0) {
      break;
    }
    const size_t home = HomeOf(HashOfRow(moved.row, rows), rows.shard_count);
    const size_t from_home = position >= home ? position - home : position + capacity_ - home;
    const size_t from_gap = position >= gap ? position - gap : position + capacity_ - gap;
    if (from_home >= from_gap) {
      Write(gap, moved);
      gap = position;
    }
  }
  Write(gap, {});
  --size_;
  return true;
}

void RowIndex::Grow(const IndexedRows& rows) {
  const std::unique_ptr<uint8_t[]> old_slots = std::exchange(slots_, nullptr);
  const size_t old_capacity = capacity_;
  capacity_ = old_capacity * 13 / 10;
  grow_at_ = capacity_ * 7 / 8;
  slots_ = std::make_unique<uint8_t[]>(capacity_ * kSlotBytes + kTailBytes);

  // Keys are behind the slots, in rows that are anywhere: fetch a batch ahead of reading it.
  constexpr size_t kBatch = 32;
  std::array<RowId, kBatch> batch;
  for (size_t position = 0; position < old_capacity;) {
    size_t filled = 0;
    for (; position < old_capacity && filled < kBatch; ++position) {
      const uint8_t* const at = old_slots.get() + position * kSlotBytes;
      if (*at != 0) {
        std::memcpy(&batch[filled], at + 1, sizeof(RowId));
        __builtin_prefetch(rows.store->row(batch[filled]));
        ++filled;
      }
    }
    for (size_t i = 0; i < filled; ++i) {
      Place(HashOfRow(batch[i], rows), batch[i], rows.shard_count);
    }
  }
}

}  // namespace antiphon
