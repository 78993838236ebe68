#include "common/cluster/chunk_layout.h"

#include <algorithm>
#include <limits>
#include <string>

#include "common/base/logging.h"
#include "common/cluster/shard_map.h"

namespace antiphon {
namespace {

// Far above any job, far below what would overflow an offset or exhaust an address space.
constexpr uint32_t kMaxShards = 1u << 20;
constexpr uint32_t kMaxDim = 1u << 16;
constexpr uint64_t kMaxBlockFloats = 1ull << 36;
constexpr uint32_t kMaxChunkFloats = 1u << 28;

Status CheckRange(const std::string& what, uint64_t value, uint64_t max) {
  if (value == 0 || value > max) {
    return InvalidArgumentError(what + " is " + std::to_string(value) + ", expected 1 to " +
                                std::to_string(max));
  }
  return Status();
}

Status CheckSegments(const TableSpec& table) {
  uint64_t total = 0;
  for (const RowSegment& segment : table.segments()) {
    AP_RETURN_IF_ERROR(
        CheckRange("dim of a row segment of table '" + table.name() + "'", segment.dim(), kMaxDim));
    total += segment.dim();
  }
  if (!table.segments().empty() && total != table.dim()) {
    return InvalidArgumentError("dims of the row segments of table '" + table.name() +
                                "' add up to " + std::to_string(total) + ", expected its dim, " +
                                std::to_string(table.dim()));
  }
  return Status();
}

Status CheckRowPolicy(const TableSpec& table) {
  constexpr uint64_t kMaxHalveAfter = uint64_t{1} << 32;
  // server/sighting_counter.h counts so far.
  constexpr uint32_t kMaxMinCount = 15;
  const std::string of = " of the row_policy of table '" + table.name() + "'";
  const Admission& admission = table.row_policy().admission();
  const Eviction& eviction = table.row_policy().eviction();
  AP_RETURN_IF_ERROR(CheckRange("min_count" + of, admission.min_count(), kMaxMinCount));
  AP_RETURN_IF_ERROR(CheckRange("halve_after" + of, admission.halve_after(), kMaxHalveAfter));
  AP_RETURN_IF_ERROR(CheckRange("half_life_seconds" + of, eviction.half_life_seconds(),
                                std::numeric_limits<uint32_t>::max()));
  if (!(admission.probability() > 0 && admission.probability() <= 1)) {
    return InvalidArgumentError("probability" + of + " is " +
                                std::to_string(admission.probability()) +
                                ", expected more than 0, at most 1");
  }
  for (const float value :
       {eviction.min_score(), eviction.show_weight(), eviction.click_weight()}) {
    if (!(value >= 0 && value < std::numeric_limits<float>::infinity())) {
      return InvalidArgumentError("min_score, show_weight or click_weight" + of + " is " +
                                  std::to_string(value) + ", expected 0 or more");
    }
  }
  return Status();
}

}  // namespace

uint64_t BlockFloats(const BlockSpec& block) {
  return static_cast<uint64_t>(block.rows()) * block.cols();
}

uint32_t ChunkCount(const BlockSpec& block, uint32_t chunk_floats) {
  return static_cast<uint32_t>((BlockFloats(block) + chunk_floats - 1) / chunk_floats);
}

Status CheckSchema(const ParameterSchema& schema) {
  AP_RETURN_IF_ERROR(CheckRange("schema.shard_count", schema.shard_count(), kMaxShards));
  AP_RETURN_IF_ERROR(CheckRange("schema.chunk_floats", schema.chunk_floats(), kMaxChunkFloats));
  for (const TableSpec& table : schema.tables()) {
    AP_RETURN_IF_ERROR(CheckRange("dim of table '" + table.name() + "'", table.dim(), kMaxDim));
    AP_RETURN_IF_ERROR(CheckSegments(table));
    AP_RETURN_IF_ERROR(CheckRowPolicy(table));
  }
  for (const BlockSpec& block : schema.blocks()) {
    AP_RETURN_IF_ERROR(CheckRange("number of floats of block '" + block.name() + "'",
                                  BlockFloats(block), kMaxBlockFloats));
    AP_RETURN_IF_ERROR(CheckRange(
        "number of chunks of block '" + block.name() + "' (give more chunk_floats)",
        (BlockFloats(block) + schema.chunk_floats() - 1) / schema.chunk_floats(), 1u << 24));
  }
  return Status();
}

std::vector<Chunk> AllChunks(const ParameterSchema& schema) {
  CHECK_GT(schema.chunk_floats(), 0u);
  std::vector<Chunk> chunks;
  for (BlockId block = 0; block < static_cast<BlockId>(schema.blocks_size()); ++block) {
    const BlockSpec& spec = schema.blocks(static_cast<int>(block));
    const uint64_t total = BlockFloats(spec);
    const uint32_t count = ChunkCount(spec, schema.chunk_floats());
    for (uint32_t index = 0; index < count; ++index) {
      const uint64_t offset = static_cast<uint64_t>(index) * schema.chunk_floats();
      chunks.push_back({.block = block,
                        .index = index,
                        .offset = offset,
                        .floats = static_cast<uint32_t>(
                            std::min<uint64_t>(schema.chunk_floats(), total - offset)),
                        .shard = ShardOfChunk(block, index, schema.shard_count())});
    }
  }
  return chunks;
}

std::vector<Chunk> LaneChunks(const ParameterSchema& schema,
                              const std::vector<LaneId>& lane_of_shard, LaneId lane) {
  CHECK_EQ(lane_of_shard.size(), schema.shard_count());
  std::vector<Chunk> chunks = AllChunks(schema);
  std::erase_if(chunks, [&](const Chunk& chunk) { return lane_of_shard[chunk.shard] != lane; });
  return chunks;
}

}  // namespace antiphon
