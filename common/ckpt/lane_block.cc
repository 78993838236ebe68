#include "common/ckpt/lane_block.h"

#include <string>

#include "common/base/crc32c.h"
#include "common/ckpt/little_endian.h"

namespace antiphon {

namespace {

constexpr size_t kKindAt = 0;
constexpr size_t kSubjectAt = 4;
constexpr size_t kIndexAt = 8;
constexpr size_t kCountAt = 12;
constexpr size_t kPayloadBytesAt = 16;
constexpr size_t kPayloadCrcAt = 24;
constexpr size_t kPrologueCrcAt = 28;

}  // namespace

void EncodeBlockPrologue(const BlockPrologue& prologue,
                         std::span<std::byte, kBlockPrologueBytes> out) {
  const LaneBlock& block = prologue.block;
  StoreLittle<uint32_t>(out, kKindAt, static_cast<uint32_t>(block.kind));
  StoreLittle<uint32_t>(out, kSubjectAt, block.subject);
  StoreLittle<uint32_t>(out, kIndexAt, block.index);
  StoreLittle<uint32_t>(out, kCountAt, block.count);
  StoreLittle<uint64_t>(out, kPayloadBytesAt, prologue.payload_bytes);
  StoreLittle<uint32_t>(out, kPayloadCrcAt, prologue.payload_crc32c);
  StoreLittle<uint32_t>(out, kPrologueCrcAt, Crc32c(out.first(kPrologueCrcAt)));
}

StatusOr<BlockPrologue> DecodeBlockPrologue(std::span<const std::byte, kBlockPrologueBytes> in) {
  if (LoadLittle<uint32_t>(in, kPrologueCrcAt) != Crc32c(in.first(kPrologueCrcAt))) {
    return DataLossError("the checksum of the block's prologue does not match");
  }
  BlockPrologue prologue;
  prologue.payload_bytes = LoadLittle<uint64_t>(in, kPayloadBytesAt);
  prologue.payload_crc32c = LoadLittle<uint32_t>(in, kPayloadCrcAt);
  if (prologue.payload_bytes > kMaxBlockBytes) {
    return DataLossError("a block of " + std::to_string(prologue.payload_bytes) +
                         " bytes, expected at most " + std::to_string(kMaxBlockBytes));
  }
  const uint32_t kind = LoadLittle<uint32_t>(in, kKindAt);
  prologue.block.kind = static_cast<BlockKind>(kind);
  prologue.block.subject = LoadLittle<uint32_t>(in, kSubjectAt);
  prologue.block.index = LoadLittle<uint32_t>(in, kIndexAt);
  prologue.block.count = LoadLittle<uint32_t>(in, kCountAt);
  switch (prologue.block.kind) {
    case BlockKind::kRows:
    case BlockKind::kChunk:
    case BlockKind::kTombstones:
    case BlockKind::kSightings:
    case BlockKind::kEnd:
      return prologue;
  }
  return UnimplementedError("a block of kind " + std::to_string(kind) +
                            ", which this version does not know");
}

}  // namespace antiphon
