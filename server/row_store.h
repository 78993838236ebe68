// RowStore: the memory of one table's rows on one lane.
//
// Rows of one size lie in chunks of 2 MiB that ask for huge pages (random access to rows is two to
// six times as fast with them). A row is named by a 32-bit id and never moves; a freed id is given
// out again before the store grows. Owned by one RowTable and used on its lane's thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace antiphon {

using RowId = uint32_t;

class RowStore {
 public:
  // row_bytes: a multiple of 4, at least 8, at most 1 MiB.
  explicit RowStore(uint32_t row_bytes);
  ~RowStore();
  RowStore(const RowStore&) = delete;
  RowStore& operator=(const RowStore&) = delete;

  // A row with undefined content. The process ends when the machine has no more memory, or after
  // 2^32 ids.
  RowId Allocate();
  void Free(RowId id);

  std::byte* row(RowId id) const {
    return chunks_[id >> slot_bits_] + static_cast<size_t>(id & slot_mask_) * row_bytes_;
  }

  // Rows lie in places, numbered from 0 in the order of memory; a place that was freed and not
  // given out again has no row.
  uint64_t place_count() const { return high_water_; }
  bool has_free_place() const { return row_count_ < high_water_; }
  template <typename Visit>
  void ForEachPlace(uint64_t begin, uint64_t end, Visit visit) const {
    while (begin < end) {
      std::byte* at = chunks_[begin / rows_per_chunk_] + begin % rows_per_chunk_ * row_bytes_;
      const uint64_t chunk_end = (begin / rows_per_chunk_ + 1) * rows_per_chunk_;
      for (const uint64_t stop = std::min(end, chunk_end); begin < stop; ++begin) {
        visit(at);
        at += row_bytes_;
      }
    }
  }

  uint64_t row_count() const { return row_count_; }
  // Of the rows ever given out at one time; the last chunk may have up to 2 MiB more.
  uint64_t bytes() const { return high_water_ * row_bytes_; }

 private:
  void AddChunk();

  uint32_t row_bytes_;
  uint32_t rows_per_chunk_;
  uint32_t slot_bits_;  // an id is chunk << slot_bits_ | slot
  uint32_t slot_mask_;
  size_t chunk_bytes_;
  std::vector<std::byte*> chunks_;
  uint32_t next_slot_ = 0;  // of the last chunk
  RowId free_head_;         // freed rows hold the id of the next one in their first bytes
  uint64_t row_count_ = 0;
  uint64_t high_water_ = 0;
};

}  // namespace antiphon
