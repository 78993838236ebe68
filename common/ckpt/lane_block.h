// The blocks that a lane's snapshot file consists of, after its header.
//
// Each block is a prologue of 32 bytes and a payload. docs/snapshot.md has the layout; the meaning
// of a payload is the business of whoever wrote it. Pure functions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "common/base/status.h"
#include "common/ckpt/sealed_message.h"

namespace antiphon {

inline constexpr SealKind kLaneFileKind = {
    .magic = "APLANE\r\n", .format = 1, .max_bytes = uint64_t{256} << 20};
inline constexpr size_t kBlockPrologueBytes = 32;
// Writers aim at the first, so that a payload which has been summed lies in a near cache still when
// it is copied. Readers refuse more than the second.
inline constexpr size_t kBlockTargetBytes = size_t{256} << 10;
inline constexpr size_t kMaxBlockBytes = size_t{64} << 20;
inline constexpr size_t kTombstoneBytes = 12;  // a key, and why its row went

// Numbers are part of the format.
enum class BlockKind : uint32_t {
  kRows = 1,        // `count` rows of table `subject`
  kChunk = 2,       // chunk `index` of dense block `subject`
  kTombstones = 3,  // `count` keys of table `subject` that a delta removes, before its rows
  kEnd = 4,         // the totals of the file; nothing follows
  kSightings = 5,   // part `index` of the counters of ids without a row of table `subject`
};

// The payload belongs to whoever filled the struct in.
struct LaneBlock {
  BlockKind kind = BlockKind::kEnd;
  uint32_t subject = 0;
  uint32_t index = 0;
  uint32_t count = 0;
  std::span<const std::byte> payload;
};

// What a prologue says of a block whose payload is elsewhere.
struct BlockPrologue {
  LaneBlock block;  // its payload is not looked at
  uint64_t payload_bytes = 0;
  uint32_t payload_crc32c = 0;
};

void EncodeBlockPrologue(const BlockPrologue& prologue,
                         std::span<std::byte, kBlockPrologueBytes> out);

// kDataLoss: damaged, or a size past kMaxBlockBytes; kUnimplemented: a kind of another version.
StatusOr<BlockPrologue> DecodeBlockPrologue(std::span<const std::byte, kBlockPrologueBytes> in);

}  // namespace antiphon
