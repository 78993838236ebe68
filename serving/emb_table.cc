#include "serving/emb_table.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <string>

#include "common/base/crc32c.h"
#include "common/ckpt/little_endian.h"

namespace antiphon {
namespace {

static_assert(std::endian::native == std::endian::little, "files hold numbers as memory does");

void Prefetch(const void* address) {
  __builtin_prefetch(address);
}

Status CheckBlocks(const EmbHeader& header, std::span<const std::byte> file) {
  const uint64_t end = header.checksums_at();
  size_t block = 0;
  for (uint64_t at = kEmbHeaderBytes; at < end; at += kEmbBlockBytes, ++block) {
    const uint64_t bytes = std::min<uint64_t>(kEmbBlockBytes, end - at);
    const auto expected = LoadLittle<uint32_t>(file, end + block * sizeof(uint32_t));
    if (Crc32c(file.subspan(at, bytes)) != expected) {
      return DataLossError("the checksum of bytes " + std::to_string(at) + " to " +
                           std::to_string(at + bytes) + " does not match");
    }
  }
  return Status();
}

}  // namespace

StatusOr<EmbTable> EmbTable::Open(std::span<const std::byte> file) {
  EmbTable table;
  AP_ASSIGN_OR_RETURN(table.header_, DecodeEmbHeader(file));
  const EmbHeader& header = table.header_;
  if (file.size() != header.file_bytes()) {
    return DataLossError("it has " + std::to_string(file.size()) + " bytes, expected " +
                         std::to_string(header.file_bytes()) + ": torn or not yet whole");
  }
  if (reinterpret_cast<uintptr_t>(file.data()) % alignof(Key) != 0) {
    return InvalidArgumentError("the file lies at an odd address, expected a multiple of 8");
  }
  AP_RETURN_IF_ERROR(CheckBlocks(header, file));
  table.buckets_ = reinterpret_cast<const uint32_t*>(file.data() + header.buckets_at());
  table.keys_ = reinterpret_cast<const Key*>(file.data() + header.keys_at());
  table.rows_ = file.data() + header.rows_at();
  table.tombstones_ = reinterpret_cast<const Key*>(file.data() + header.tombstones_at());
  table.reasons_ = file.data() + header.reasons_at();
  AP_RETURN_IF_ERROR(table.CheckIndex());
  AP_RETURN_IF_ERROR(table.CheckTombstones());
  return table;
}

Status EmbTable::CheckIndex() const {
  if (buckets_[0] != 0 || buckets_[header_.buckets] != header_.rows) {
    return DataLossError("its index does not cover its rows");
  }
  for (uint64_t bucket = 0; bucket < header_.buckets; ++bucket) {
    if (buckets_[bucket] > buckets_[bucket + 1]) {
      return DataLossError("bucket " + std::to_string(bucket) +
                           " of its index ends before it begins");
    }
    for (uint32_t row = buckets_[bucket]; row < buckets_[bucket + 1]; ++row) {
      const bool in_order =
          row == 0 ? keys_[row] >= header_.first_key : keys_[row] > keys_[row - 1];
      if (!in_order || BucketOf(keys_[row]) != bucket) {
        return DataLossError("key " + std::to_string(keys_[row]) + " is out of place");
      }
    }
  }
  return Status();
}

Status EmbTable::CheckTombstones() const {
  for (size_t i = 0; i < header_.tombstones; ++i) {
    const auto which = [&] { return "the tombstone of key " + std::to_string(tombstones_[i]); };
    if (i > 0 && tombstones_[i] <= tombstones_[i - 1]) {
      return DataLossError(which() + " is out of place");
    }
    if (Find(tombstones_[i]) != kNoRow) {
      return DataLossError(which() + " stands beside a row of that key");
    }
    const auto reason = std::to_integer<uint8_t>(reasons_[i]);
    if (reason == 0 || reason > kTombstoneReasons) {
      return DataLossError(which() + " has reason " + std::to_string(reason) +
                           ", which is none that a row goes for");
    }
  }
  return Status();
}

uint32_t EmbTable::FindIn(uint64_t bucket, Key key) const {
  const Key* begin = keys_ + buckets_[bucket];
  const Key* end = keys_ + buckets_[bucket + 1];
  const Key* found = std::lower_bound(begin, end, key);
  return found != end && *found == key ? static_cast<uint32_t>(found - keys_) : kNoRow;
}

uint32_t EmbTable::Find(Key key) const {
  const uint64_t bucket = BucketOf(key);
  return key < header_.first_key || bucket >= header_.buckets ? kNoRow : FindIn(bucket, key);
}

// Three rounds, each reading what the one before asked for: index, keys, row.
void EmbTable::FindSome(std::span<const Key> keys, uint32_t* rows) const {
  DCHECK_LE(keys.size(), kKeysAtOnce);
  const size_t row_bytes_each = header_.row_bytes();
  std::array<uint64_t, kKeysAtOnce> bucket;
  for (size_t i = 0; i < keys.size(); ++i) {
    const uint64_t b = BucketOf(keys[i]);
    bucket[i] = keys[i] < header_.first_key || b >= header_.buckets ? header_.buckets : b;
    Prefetch(buckets_ + bucket[i]);
  }
  for (size_t i = 0; i < keys.size(); ++i) {
    Prefetch(keys_ + buckets_[bucket[i]]);
  }
  for (size_t i = 0; i < keys.size(); ++i) {
    rows[i] = bucket[i] == header_.buckets ? kNoRow : FindIn(bucket[i], keys[i]);
    for (size_t at = 0; rows[i] != kNoRow && at < row_bytes_each; at += kEmbAlignment) {
      Prefetch(row_bytes(rows[i]) + at);
    }
  }
}

size_t EmbTable::Lookup(std::span<const Key> keys, float* weights) const {
  const size_t dim = header_.dim;
  size_t found = 0;
  std::array<uint32_t, kKeysAtOnce> rows;
  for (size_t first = 0; first < keys.size(); first += kKeysAtOnce) {
    const size_t count = std::min(kKeysAtOnce, keys.size() - first);
    FindSome(keys.subspan(first, count), rows.data());
    for (size_t i = 0; i < count; ++i) {
      float* out = weights + (first + i) * dim;
      if (rows[i] == kNoRow) {
        std::fill_n(out, dim, 0.0F);
      } else {
        CopyRow(rows[i], out);
        ++found;
      }
    }
  }
  return found;
}

}  // namespace antiphon
