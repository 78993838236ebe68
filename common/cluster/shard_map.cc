#include "common/cluster/shard_map.h"

#include "common/base/logging.h"

namespace antiphon {

std::vector<LaneId> AssignShards(uint32_t shard_count, uint32_t lane_count) {
  CHECK_GT(lane_count, 0u);
  std::vector<LaneId> lane_of_shard(shard_count);
  for (uint32_t shard = 0; shard < shard_count; ++shard) {
    lane_of_shard[shard] =
        static_cast<LaneId>(static_cast<uint64_t>(shard) * lane_count / shard_count);
  }
  return lane_of_shard;
}

std::vector<ShardId> ShardsOfLane(const std::vector<LaneId>& lane_of_shard, LaneId lane) {
  std::vector<ShardId> shards;
  for (ShardId shard = 0; shard < lane_of_shard.size(); ++shard) {
    if (lane_of_shard[shard] == lane) {
      shards.push_back(shard);
    }
  }
  return shards;
}

}  // namespace antiphon
