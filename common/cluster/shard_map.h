// Which of the job's S shards a row or a dense chunk belongs to, and which lane owns a shard.
//
// The shard of a thing is a frozen function of its name and of S alone, so it survives every change
// of the number of servers; only the lane of a shard changes. Pure functions, any thread.
#pragma once

#include <cstdint>
#include <vector>

#include "common/base/hash.h"
#include "common/base/types.h"

namespace antiphon {

// The hash that places a row: its high bits choose the shard, the bits below them the place in the
// shard's index.
constexpr uint64_t PlacementHash(TableId table, Key key) {
  return Mix64(table, key);
}

constexpr ShardId ShardOfHash(uint64_t placement_hash, uint32_t shard_count) {
  return static_cast<ShardId>(ReduceRange(placement_hash, shard_count));
}

constexpr ShardId ShardOfKey(TableId table, Key key, uint32_t shard_count) {
  return ShardOfHash(PlacementHash(table, key), shard_count);
}

// Chunks are few, so a random hash would leave some lanes with twice the share of others. The
// points block * a + chunk * b (mod 1) of Roberts' R2 sequence, a = 1/p and b = 1/p^2 with
// p^3 = p + 1, fill [0, 1) evenly in either index.
constexpr ShardId ShardOfChunk(BlockId block, uint32_t chunk, uint32_t shard_count) {
  const uint64_t point = block * 0xc13fa9a902a6328fULL + chunk * 0x91e10da5c79e7b1dULL;
  return static_cast<ShardId>(ReduceRange(point, shard_count));
}

// The lane of each shard: contiguous runs of shards whose lengths differ by at most one.
// lane_count > 0. With more lanes than shards, some lanes own nothing.
std::vector<LaneId> AssignShards(uint32_t shard_count, uint32_t lane_count);

// Of a shard that lies nowhere.
inline constexpr LaneId kNoLane = ~LaneId{0};

// The same over other lanes than before: the numbers of their shards differ by at most one, and as
// few shards as possible change lanes. Those whose lane is kNoLane have to. lane_count > 0.
std::vector<LaneId> BalanceShards(std::vector<LaneId> lane_of_shard, uint32_t lane_count);

// The shards of `lane`, ascending.
std::vector<ShardId> ShardsOfLane(const std::vector<LaneId>& lane_of_shard, LaneId lane);

}  // namespace antiphon
