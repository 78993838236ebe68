// RowIndex: finds the rows of one (table, shard) by key.
//
// Open addressing over groups of 12 slots that fill one cache line: 12 tags of 8 bits of the key's
// hash (0: empty), then 12 row ids. A group's tags are compared at once, so a lookup reads one line
// and has nothing to guess: with slots one by one, the mispredicted ends of their runs cost more
// than the memory. Keys are not stored: a slot whose tag matches is checked against the row's
// header. A key lies in the first group from its home that had room. The home is the hash scaled
// to the number of groups, which need not be a power of two; the index grows by 1.3 when 7/8 of its
// slots are taken: at most 64/12/(0.875/1.3) = 8 bytes a row. Shards are small, so one growth never
// takes long. Owned by one RowTable, on its thread.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

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
  // Of a shard that is not owned: no group, and only owned() may be asked.
  RowIndex() = default;
  // What is moved from is unowned.
  RowIndex(RowIndex&& other) noexcept { *this = std::move(other); }
  RowIndex& operator=(RowIndex&& other) noexcept {
    groups_ = std::move(other.groups_);
    group_count_ = std::exchange(other.group_count_, 0);
    size_ = std::exchange(other.size_, 0);
    grow_at_ = std::exchange(other.grow_at_, 0);
    return *this;
  }

  // Makes an unowned index an owned, empty one.
  void Open();
  bool owned() const { return group_count_ != 0; }

  // A lookup in two steps, between which its memory can arrive. The group where the search for a
  // key begins; `hash` is the key's PlacementHash. The shard was chosen by the high bits of `hash`;
  // the product's low word is what they left over, uniform among the keys of this shard.
  size_t HomeOf(uint64_t hash, uint32_t shard_count) const {
    return ReduceRange(hash * shard_count, group_count_);
  }
  void Prefetch(size_t home) const { __builtin_prefetch(groups_.get() + home); }
  // Calls visit(row id) for the rows that the key may have, by their tags, in the first group that
  // has any: nearly always the key's row alone; nothing when the key is not there. `home` may be
  // from before a growth: the answer is then worth less, no more.
  template <typename Visit>
  void ForEachCandidate(size_t home, uint64_t hash, Visit visit) const {
    const uint8_t tag = TagOf(hash);
    for (size_t at = home;; at = Next(at)) {
      const Group& group = groups_[at];
      uint32_t matches = group.Matches(tag);
      if (matches == 0 && group.Matches(kEmpty) == 0) {
        continue;
      }
      for (; matches != 0; matches &= matches - 1) {
        visit(group.rows[std::countr_zero(matches)]);
      }
      return;
    }
  }

  // The row of `key`, or null. `hash` is its PlacementHash.
  std::byte* Find(Key key, uint64_t hash, const IndexedRows& rows) const;

  // Adds a row whose key is in its header and not yet in the index.
  void Insert(uint64_t hash, RowId row, const IndexedRows& rows);

  // Removes the key and closes the gap that it leaves. Returns its row's id through `row`; false
  // when there is no such key.
  bool Erase(Key key, uint64_t hash, const IndexedRows& rows, RowId* row);

  // Calls visit(row id) for every row, in an order of the index's own.
  template <typename Visit>
  void ForEach(Visit visit) const {
    ForEachOf(0, group_count_, visit);
  }
  // The same for the rows of a part of the groups, for those who go through them in slices.
  size_t group_count() const { return group_count_; }
  template <typename Visit>
  void ForEachOf(size_t begin_group, size_t end_group, Visit visit) const {
    for (size_t at = begin_group; at < end_group; ++at) {
      const Group& group = groups_[at];
      for (uint32_t taken = ~group.Matches(kEmpty) & kAllSlots; taken != 0; taken &= taken - 1) {
        visit(group.rows[std::countr_zero(taken)]);
      }
    }
  }

  size_t size() const { return size_; }
  size_t capacity() const { return group_count_ * kGroupSlots; }
  size_t bytes() const { return group_count_ * sizeof(Group); }

 private:
  static constexpr size_t kGroupSlots = 12;
  static constexpr uint32_t kAllSlots = (1U << kGroupSlots) - 1;
  static constexpr uint8_t kEmpty = 0;

  struct alignas(64) Group {
    std::array<uint8_t, 16> tags;  // those past kGroupSlots are never used
    std::array<RowId, kGroupSlots> rows;

    // Bit i: slot i has this tag.
    uint32_t Matches(uint8_t tag) const {
#if defined(__SSE2__)
      const __m128i all = _mm_load_si128(reinterpret_cast<const __m128i*>(tags.data()));
      const __m128i equal = _mm_cmpeq_epi8(all, _mm_set1_epi8(static_cast<char>(tag)));
      return static_cast<uint32_t>(_mm_movemask_epi8(equal)) & kAllSlots;
#else
      uint32_t matches = 0;
      for (size_t i = 0; i < kGroupSlots; ++i) {
        matches |= static_cast<uint32_t>(tags[i] == tag) << i;
      }
      return matches;
#endif
    }
  };
  static_assert(sizeof(Group) == 64);

  struct Place {
    size_t group = 0;
    size_t slot = 0;
  };

  static uint8_t TagOf(uint64_t hash) {
    const auto tag = static_cast<uint8_t>(hash);
    return tag == kEmpty ? 1 : tag;
  }
  size_t Next(size_t group) const {
    return group + 1 == group_count_ ? 0 : group + 1;
  }
  // How many steps of Next lead from one group to another.
  size_t Distance(size_t from, size_t to) const {
    return to >= from ? to - from : to + group_count_ - from;
  }

  bool Locate(Key key, uint64_t hash, const IndexedRows& rows, Place* place) const;
  void Add(uint64_t hash, RowId row, uint32_t shard_count);
  void Grow(const IndexedRows& rows);
  // Moves a key of `from` that the search would look for at `gap` into it. False: there is none.
  bool FillFrom(size_t from, const Place& gap, const IndexedRows& rows, size_t* slot);

  std::unique_ptr<Group[]> groups_;
  size_t group_count_ = 0;
  size_t size_ = 0;
  size_t grow_at_ = 0;  // the size that makes it grow
};

}  // namespace antiphon
