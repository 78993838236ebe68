// EmbTable: the rows of an .emb file, as it lies in memory: all of a table, or those of a step with
// the keys whose rows went.
//
// Nothing is copied: the bytes are the caller's, usually a MappedFile, and outlive the table.
// Frozen: any thread may read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "common/base/status.h"
#include "common/base/types.h"
#include "serving/emb_header.h"
#include "serving/tombstone.h"

namespace antiphon {

class EmbTable {
 public:
  static constexpr uint32_t kNoRow = ~uint32_t{0};
  // Enough to have several misses of the cache under way, few enough for what they bring to stay.
  static constexpr size_t kKeysAtOnce = 32;

  // Checks every byte: checksums, order of keys, index. kDataLoss says what is wrong.
  static StatusOr<EmbTable> Open(std::span<const std::byte> file);

  uint32_t dim() const { return header_.dim; }
  uint64_t rows() const { return header_.rows; }
  const EmbHeader& header() const { return header_; }

  // The place of the row of `key`, or kNoRow.
  uint32_t Find(Key key) const;
  // The same for at most kKeysAtOnce keys, hiding the latency of memory; the rows are asked for
  // too.
  void FindSome(std::span<const Key> keys, uint32_t* rows) const;
  // By row; ascending.
  Key key(uint32_t row) const { return keys_[row]; }
  std::span<const Key> keys() const { return {keys_, header_.rows}; }
  // As the file has it (serving/row_codec.h), and behind it the row of the next key.
  const std::byte* row_bytes(uint32_t row) const { return rows_ + row * header_.row_bytes(); }
  // `weights` has dim() floats.
  void CopyRow(uint32_t row, float* weights) const {
    DecodeRow(header_.precision, row_bytes(row), {weights, header_.dim});
  }

  // The rows of all keys, dim() floats each one behind the other; zeros where there is none.
  // Returns how many were found. Hides the latency of memory: faster than one key after the other.
  size_t Lookup(std::span<const Key> keys, float* weights) const;

  // Of a step: keys without a row from now on, ascending; none of them is a key of a row.
  std::span<const Key> tombstones() const { return {tombstones_, header_.tombstones}; }
  TombstoneReason reason(size_t tombstone) const {
    return static_cast<TombstoneReason>(reasons_[tombstone]);
  }

 private:
  EmbTable() = default;

  Status CheckIndex() const;
  Status CheckTombstones() const;
  uint64_t BucketOf(Key key) const { return (key - header_.first_key) >> header_.bucket_shift; }
  uint32_t FindIn(uint64_t bucket, Key key) const;
  EmbHeader header_;
  const uint32_t* buckets_ = nullptr;  // first row of each, and the end
  const Key* keys_ = nullptr;
  const std::byte* rows_ = nullptr;
  const Key* tombstones_ = nullptr;
  const std::byte* reasons_ = nullptr;
};

}  // namespace antiphon
