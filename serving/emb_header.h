// The first 128 bytes of an .emb file: what is in it and where. docs/formats.md shows every byte.
// Pure functions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "common/base/status.h"
#include "serving/row_codec.h"

namespace antiphon {

inline constexpr std::string_view kEmbMagic = "APEMBD\r\n";
inline constexpr uint32_t kEmbFormat = 1;
inline constexpr size_t kEmbHeaderBytes = 128;
// Sections begin at multiples of this, so that a mapped row of a whole number of lines is aligned.
inline constexpr uint64_t kEmbAlignment = 64;
// What one checksum covers.
inline constexpr uint32_t kEmbBlockBytes = 64 << 10;

enum class EmbKind : uint32_t {
  kFull = 1,  // all rows of a table
  kStep = 2,  // those that changed since another version, and the keys whose rows went
};

struct EmbHeader {
  EmbKind kind = EmbKind::kFull;
  RowPrecision precision = RowPrecision::kFp32;
  uint64_t model_id = 0;
  uint64_t version = 0;
  uint32_t dim = 0;
  uint64_t rows = 0;
  // Key k is in bucket (k - first_key) >> bucket_shift, one of `buckets`.
  uint64_t first_key = 0;
  uint32_t bucket_shift = 0;
  uint64_t buckets = 0;
  uint64_t tombstones = 0;  // of a step

  uint64_t row_bytes() const { return RowBytes(precision, dim); }
  // Sections in the order of the file. Offsets from its beginning.
  uint64_t buckets_at() const { return kEmbHeaderBytes; }  // u32[buckets + 1]
  uint64_t keys_at() const;                                // u64[rows]
  uint64_t rows_at() const;                                // rows of row_bytes()
  uint64_t tombstones_at() const;                          // of a step: u64[tombstones]
  uint64_t reasons_at() const;                             // of a step: u8[tombstones]
  uint64_t checksums_at() const;  // u32 for each block of what lies between header and here
  uint64_t file_bytes() const;

  friend bool operator==(const EmbHeader&, const EmbHeader&) = default;
};

std::array<std::byte, kEmbHeaderBytes> EncodeEmbHeader(const EmbHeader& header);

// kDataLoss: not an .emb file, damaged, or numbers that no file has; kUnimplemented: another
// format. Every size above can then be computed without overflow.
StatusOr<EmbHeader> DecodeEmbHeader(std::span<const std::byte> bytes);

}  // namespace antiphon
