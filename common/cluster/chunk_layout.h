// How dense blocks lie on lanes: a block is cut in chunks, each chunk belongs to a shard.
//
// A lane and its workers compute the same list from the same schema, and then speak of a chunk by
// its index in that list: bit i of a pull or a push is chunk i of the lane. Pure functions.
#pragma once

#include <cstdint>
#include <vector>

#include "common/base/status.h"
#include "common/base/types.h"
#include "proto/parameters.pb.h"

namespace antiphon {

// One piece of a block. Its floats are [offset, offset + floats) of the block, row-major.
struct Chunk {
  BlockId block = 0;
  uint32_t index = 0;  // among the chunks of its block
  uint64_t offset = 0;
  uint32_t floats = 0;
  ShardId shard = 0;

  friend bool operator==(const Chunk&, const Chunk&) = default;
};

uint64_t BlockFloats(const BlockSpec& block);
uint32_t ChunkCount(const BlockSpec& block, uint32_t chunk_floats);

// That shards and chunks have a size, and every block and table too, within what this build can
// hold. The functions below, and whoever builds tables from a schema, expect a schema that passed.
Status CheckSchema(const ParameterSchema& schema);

// Every chunk of the schema: by block, then by index.
std::vector<Chunk> AllChunks(const ParameterSchema& schema);

// The chunks whose shard lies on `lane`, in the order of AllChunks.
std::vector<Chunk> LaneChunks(const ParameterSchema& schema,
                              const std::vector<LaneId>& lane_of_shard, LaneId lane);

}  // namespace antiphon
