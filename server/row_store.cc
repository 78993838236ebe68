#include "server/row_store.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <sys/mman.h>

#include "common/base/logging.h"

namespace antiphon {
namespace {

constexpr size_t kHugePageBytes = size_t{2} << 20;
constexpr RowId kNoRow = std::numeric_limits<RowId>::max();

std::byte* Map(size_t bytes) {
  void* const memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  PCHECK(memory != MAP_FAILED) << "cannot map " << bytes << " bytes for embedding rows";
  return static_cast<std::byte*>(memory);
}

bool IsAligned(const std::byte* memory) {
  return reinterpret_cast<uintptr_t>(memory) % kHugePageBytes == 0;
}

// Memory that begins at a huge page. The kernel puts mappings side by side, so once one chunk is
// aligned the next is at the first try.
std::byte* MapAligned(size_t bytes) {
  std::byte* memory = Map(bytes);
  if (!IsAligned(memory)) {
    PCHECK(munmap(memory, bytes) == 0);
    std::byte* const wide = Map(bytes + kHugePageBytes);
    const size_t before =
        (kHugePageBytes - reinterpret_cast<uintptr_t>(wide) % kHugePageBytes) % kHugePageBytes;
    memory = wide + before;
    if (before > 0) {
      PCHECK(munmap(wide, before) == 0);
    }
    PCHECK(munmap(memory + bytes, kHugePageBytes - before) == 0);
  }
  // Only a request: without huge pages everything works, slower.
  (void)madvise(memory, bytes, MADV_HUGEPAGE);
  return memory;
}

}  // namespace

RowStore::RowStore(uint32_t row_bytes)
    : row_bytes_(row_bytes),
      // At least 16 rows, so that a chunk of very wide rows does not waste most of its last page.
      chunk_bytes_((std::max<size_t>(kHugePageBytes, size_t{row_bytes} * 16) + kHugePageBytes - 1) /
                   kHugePageBytes * kHugePageBytes),
      free_head_(kNoRow) {
  CHECK(row_bytes >= 8 && row_bytes % 4 == 0 && row_bytes <= (1U << 20)) << row_bytes;
  rows_per_chunk_ = static_cast<uint32_t>(chunk_bytes_ / row_bytes);
  slot_bits_ = static_cast<uint32_t>(std::bit_width(rows_per_chunk_ - 1));
  slot_mask_ = (1U << slot_bits_) - 1;
  next_slot_ = rows_per_chunk_;
}

RowStore::~RowStore() {
  for (std::byte* chunk : chunks_) {
    PCHECK(munmap(chunk, chunk_bytes_) == 0);
  }
}

RowId RowStore::Allocate() {
  ++row_count_;
  if (free_head_ != kNoRow) {
    const RowId id = free_head_;
    std::memcpy(&free_head_, row(id), sizeof(free_head_));
    return id;
  }
  if (next_slot_ == rows_per_chunk_) {
    AddChunk();
  }
  ++high_water_;
  return static_cast<RowId>((chunks_.size() - 1) << slot_bits_ | next_slot_++);
}

void RowStore::Free(RowId id) {
  std::memcpy(row(id), &free_head_, sizeof(free_head_));
  free_head_ = id;
  --row_count_;
}

void RowStore::AddChunk() {
  // The very last id means "none".
  const uint64_t max_chunks = (uint64_t{1} << (32 - slot_bits_)) - 1;
  CHECK_LT(chunks_.size(), max_chunks) << "a table on one lane ran out of 32-bit row ids";
  chunks_.push_back(MapAligned(chunk_bytes_));
  next_slot_ = 0;
}

}  // namespace antiphon
