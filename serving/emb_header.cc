#include "serving/emb_header.h"

#include <cstring>
#include <string>

#include "common/base/crc32c.h"
#include "common/ckpt/little_endian.h"

namespace antiphon {
namespace {

constexpr size_t kFormatAt = 8;
constexpr size_t kKindAt = 12;
constexpr size_t kModelAt = 16;
constexpr size_t kVersionAt = 24;
constexpr size_t kRowsAt = 32;
constexpr size_t kDimAt = 40;
constexpr size_t kPrecisionAt = 44;
constexpr size_t kFirstKeyAt = 48;
constexpr size_t kBucketsAt = 56;
constexpr size_t kShiftAt = 64;
constexpr size_t kBlockBytesAt = 68;
constexpr size_t kFileBytesAt = 72;
constexpr size_t kTombstonesAt = 80;
constexpr size_t kCrcAt = 124;

constexpr uint32_t kMaxDim = 1 << 20;
constexpr uint64_t kMaxRows = 0xfffffffe;  // positions are u32

uint64_t AlignUp(uint64_t offset) {
  return (offset + kEmbAlignment - 1) / kEmbAlignment * kEmbAlignment;
}

}  // namespace

uint64_t EmbHeader::keys_at() const {
  return AlignUp(buckets_at() + (buckets + 1) * sizeof(uint32_t));
}

uint64_t EmbHeader::rows_at() const {
  return AlignUp(keys_at() + rows * sizeof(uint64_t));
}

uint64_t EmbHeader::tombstones_at() const {
  return AlignUp(rows_at() + rows * row_bytes());
}

uint64_t EmbHeader::reasons_at() const {
  return AlignUp(tombstones_at() + tombstones * sizeof(uint64_t));
}

// Without tombstones their sections have no bytes.
uint64_t EmbHeader::checksums_at() const {
  return AlignUp(reasons_at() + tombstones);
}

uint64_t EmbHeader::file_bytes() const {
  const uint64_t covered = checksums_at() - kEmbHeaderBytes;
  return checksums_at() + (covered + kEmbBlockBytes - 1) / kEmbBlockBytes * sizeof(uint32_t);
}

std::array<std::byte, kEmbHeaderBytes> EncodeEmbHeader(const EmbHeader& header) {
  std::array<std::byte, kEmbHeaderBytes> bytes = {};
  std::memcpy(bytes.data(), kEmbMagic.data(), kEmbMagic.size());
  StoreLittle<uint32_t>(bytes, kFormatAt, kEmbFormat);
  StoreLittle<uint32_t>(bytes, kKindAt, static_cast<uint32_t>(header.kind));
  StoreLittle<uint64_t>(bytes, kModelAt, header.model_id);
  StoreLittle<uint64_t>(bytes, kVersionAt, header.version);
  StoreLittle<uint64_t>(bytes, kRowsAt, header.rows);
  StoreLittle<uint32_t>(bytes, kDimAt, header.dim);
  StoreLittle<uint32_t>(bytes, kPrecisionAt, static_cast<uint32_t>(header.precision));
  StoreLittle<uint64_t>(bytes, kFirstKeyAt, header.first_key);
  StoreLittle<uint64_t>(bytes, kBucketsAt, header.buckets);
  StoreLittle<uint32_t>(bytes, kShiftAt, header.bucket_shift);
  StoreLittle<uint32_t>(bytes, kBlockBytesAt, kEmbBlockBytes);
  StoreLittle<uint64_t>(bytes, kFileBytesAt, header.file_bytes());
  StoreLittle<uint64_t>(bytes, kTombstonesAt, header.tombstones);
  StoreLittle<uint32_t>(bytes, kCrcAt, Crc32c(std::span(bytes).first(kCrcAt)));
  return bytes;
}

StatusOr<EmbHeader> DecodeEmbHeader(std::span<const std::byte> bytes) {
  if (bytes.size() < kEmbHeaderBytes) {
    return DataLossError("it has " + std::to_string(bytes.size()) +
                         " bytes, expected a header of " + std::to_string(kEmbHeaderBytes));
  }
  if (std::memcmp(bytes.data(), kEmbMagic.data(), kEmbMagic.size()) != 0) {
    return DataLossError("bad magic: not an .emb file");
  }
  if (LoadLittle<uint32_t>(bytes, kCrcAt) != Crc32c(bytes.first(kCrcAt))) {
    return DataLossError("the checksum of the header does not match");
  }
  const auto format = LoadLittle<uint32_t>(bytes, kFormatAt);
  const auto kind = LoadLittle<uint32_t>(bytes, kKindAt);
  if (format != kEmbFormat || (kind != static_cast<uint32_t>(EmbKind::kFull) &&
                               kind != static_cast<uint32_t>(EmbKind::kStep))) {
    return UnimplementedError("format " + std::to_string(format) + ", kind " +
                              std::to_string(kind) +
                              "; this version reads format 1, kinds 1 and 2");
  }
  EmbHeader header;
  header.kind = static_cast<EmbKind>(kind);
  header.model_id = LoadLittle<uint64_t>(bytes, kModelAt);
  header.version = LoadLittle<uint64_t>(bytes, kVersionAt);
  header.rows = LoadLittle<uint64_t>(bytes, kRowsAt);
  header.dim = LoadLittle<uint32_t>(bytes, kDimAt);
  header.first_key = LoadLittle<uint64_t>(bytes, kFirstKeyAt);
  header.buckets = LoadLittle<uint64_t>(bytes, kBucketsAt);
  header.tombstones = LoadLittle<uint64_t>(bytes, kTombstonesAt);
  header.bucket_shift = LoadLittle<uint32_t>(bytes, kShiftAt);
  const auto precision = LoadLittle<uint32_t>(bytes, kPrecisionAt);
  if (precision < static_cast<uint32_t>(RowPrecision::kFp32) ||
      precision > static_cast<uint32_t>(RowPrecision::kInt8) || header.dim == 0 ||
      header.dim > kMaxDim || header.rows > kMaxRows || header.buckets == 0 ||
      header.buckets > kMaxRows || header.bucket_shift > 63 || header.tombstones > kMaxRows ||
      LoadLittle<uint32_t>(bytes, kBlockBytesAt) != kEmbBlockBytes) {
    return DataLossError("the header has numbers that no file of this format has");
  }
  if (header.kind == EmbKind::kFull && header.tombstones != 0) {
    return DataLossError("it has all rows of a table and " + std::to_string(header.tombstones) +
                         " tombstones, which only a step has");
  }
  header.precision = static_cast<RowPrecision>(precision);
  const auto file_bytes = LoadLittle<uint64_t>(bytes, kFileBytesAt);
  if (header.file_bytes() != file_bytes) {
    return DataLossError("the header says " + std::to_string(file_bytes) +
                         " bytes, its rows make " + std::to_string(header.file_bytes()));
  }
  return header;
}

}  // namespace antiphon
