#include "common/cluster/shard_map.h"

#include <algorithm>
#include <functional>
#include <numeric>

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

std::vector<LaneId> BalanceShards(std::vector<LaneId> lane_of_shard, uint32_t lane_count) {
  std::vector<size_t> count(lane_count, 0);
  for (const LaneId lane : lane_of_shard) {
    if (lane != kNoLane) {
      ++count[lane];
    }
  }
  // The lanes that have most may keep one more than the others.
  std::vector<LaneId> by_count(lane_count);
  std::iota(by_count.begin(), by_count.end(), 0U);
  std::ranges::stable_sort(by_count, std::ranges::greater(),
                           [&count](LaneId lane) { return count[lane]; });
  std::vector<size_t> share(lane_count, lane_of_shard.size() / lane_count);
  for (size_t i = 0; i < lane_of_shard.size() % lane_count; ++i) {
    ++share[by_count[i]];
  }
  for (LaneId& lane : lane_of_shard) {
    if (lane != kNoLane && count[lane] > share[lane]) {
      --count[lane];
      lane = kNoLane;
    }
  }
  LaneId next = 0;
  for (LaneId& lane : lane_of_shard) {
    if (lane != kNoLane) {
      continue;
    }
    while (count[next] == share[next]) {
      ++next;
    }
    lane = next;
    ++count[next];
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
