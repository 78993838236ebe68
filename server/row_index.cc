#include "server/row_index.h"

#include <algorithm>
#include <utility>

#include "common/base/logging.h"
#include "common/cluster/shard_map.h"

namespace antiphon {
namespace {

uint64_t HashOfRow(RowId row, const IndexedRows& rows) {
  return PlacementHash(rows.table, HeaderOf(rows.store->row(row)).key());
}

}  // namespace

void RowIndex::Open() {
  CHECK(!owned());
  group_count_ = 1;
  groups_ = std::make_unique<Group[]>(group_count_);
  grow_at_ = capacity() * 7 / 8;
}

bool RowIndex::Locate(Key key, uint64_t hash, const IndexedRows& rows, Place* place) const {
  const uint8_t tag = TagOf(hash);
  for (size_t at = HomeOf(hash, rows.shard_count);; at = Next(at)) {
    const Group& group = groups_[at];
    for (uint32_t matches = group.Matches(tag); matches != 0; matches &= matches - 1) {
      const auto slot = static_cast<size_t>(std::countr_zero(matches));
      if (HeaderOf(rows.store->row(group.rows[slot])).key() == key) {
        *place = {.group = at, .slot = slot};
        return true;
      }
    }
    if (group.Matches(kEmpty) != 0) {
      return false;
    }
  }
}

std::byte* RowIndex::Find(Key key, uint64_t hash, const IndexedRows& rows) const {
  Place place;
  if (!Locate(key, hash, rows, &place)) {
    return nullptr;
  }
  return rows.store->row(groups_[place.group].rows[place.slot]);
}

void RowIndex::Add(uint64_t hash, RowId row, uint32_t shard_count) {
  size_t at = HomeOf(hash, shard_count);
  uint32_t empty = groups_[at].Matches(kEmpty);
  while (empty == 0) {
    at = Next(at);
    empty = groups_[at].Matches(kEmpty);
  }
  const auto slot = static_cast<size_t>(std::countr_zero(empty));
  groups_[at].tags[slot] = TagOf(hash);
  groups_[at].rows[slot] = row;
}

void RowIndex::Insert(uint64_t hash, RowId row, const IndexedRows& rows) {
  if (size_ == grow_at_) {
    Grow(rows);
  }
  Add(hash, row, rows.shard_count);
  ++size_;
}

bool RowIndex::Erase(Key key, uint64_t hash, const IndexedRows& rows, RowId* row) {
  Place gap;
  if (!Locate(key, hash, rows, &gap)) {
    return false;
  }
  *row = groups_[gap.group].rows[gap.slot];
  --size_;
  // Past a group with room nothing was ever looked for, so only the first gap of a full group must
  // be closed, by a key that had to go past it. That leaves a gap where it was.
  bool was_full = groups_[gap.group].Matches(kEmpty) == 0;
  groups_[gap.group].tags[gap.slot] = kEmpty;
  for (size_t at = Next(gap.group); was_full && at != gap.group; at = Next(at)) {
    was_full = groups_[at].Matches(kEmpty) == 0;
    size_t slot = 0;
    if (FillFrom(at, gap, rows, &slot)) {
      gap = {.group = at, .slot = slot};
    }
  }
  return true;
}

bool RowIndex::FillFrom(size_t from, const Place& gap, const IndexedRows& rows, size_t* slot) {
  Group& group = groups_[from];
  for (uint32_t taken = ~group.Matches(kEmpty) & kAllSlots; taken != 0; taken &= taken - 1) {
    *slot = static_cast<size_t>(std::countr_zero(taken));
    const RowId row = group.rows[*slot];
    const size_t home = HomeOf(HashOfRow(row, rows), rows.shard_count);
    if (Distance(home, from) >= Distance(gap.group, from)) {
      groups_[gap.group].tags[gap.slot] = std::exchange(group.tags[*slot], kEmpty);
      groups_[gap.group].rows[gap.slot] = row;
      return true;
    }
  }
  return false;
}

void RowIndex::Grow(const IndexedRows& rows) {
  const std::unique_ptr<Group[]> old_groups = std::exchange(groups_, nullptr);
  const size_t old_count = group_count_;
  group_count_ = std::max(old_count + 1, old_count * 13 / 10);
  grow_at_ = capacity() * 7 / 8;
  groups_ = std::make_unique<Group[]>(group_count_);

  // Keys are behind the slots, in rows that are anywhere: fetch those of a few groups ahead of
  // reading them.
  constexpr size_t kAhead = 4;
  const auto fetch = [&](const Group& group) {
    for (size_t slot = 0; slot < kGroupSlots; ++slot) {
      if (group.tags[slot] != kEmpty) {
        __builtin_prefetch(rows.store->row(group.rows[slot]));
      }
    }
  };
  for (size_t at = 0; at < old_count + kAhead; ++at) {
    if (at < old_count) {
      fetch(old_groups[at]);
    }
    if (at < kAhead) {
      continue;
    }
    const Group& group = old_groups[at - kAhead];
    for (size_t slot = 0; slot < kGroupSlots; ++slot) {
      if (group.tags[slot] != kEmpty) {
        Add(HashOfRow(group.rows[slot], rows), group.rows[slot], rows.shard_count);
      }
    }
  }
}

}  // namespace antiphon
