#include "common/cluster/shard_map.h"

#include <algorithm>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace antiphon {
namespace {

using ::testing::ElementsAre;

TEST(ShardMapTest, KeepsFrozenValues) {
  // These numbers decide where the rows of old snapshots lie: they are never edited.
  EXPECT_EQ(ShardOfKey(0, 0, 256), 72u);
  EXPECT_EQ(ShardOfKey(3, 12345, 256), 192u);
  EXPECT_EQ(ShardOfKey(3, ~0ull, 1000), 695u);
  EXPECT_EQ(ShardOfChunk(0, 1, 256), 145u);
  EXPECT_EQ(ShardOfChunk(7, 42, 256), 55u);
}

TEST(ShardMapTest, SpreadsKeysEvenly) {
  std::map<ShardId, int> keys_of;

  for (Key key = 0; key < 64'000; ++key) {
    ++keys_of[ShardOfKey(5, key, 64)];
  }

  EXPECT_EQ(keys_of.size(), 64u);
  for (const auto& [shard, keys] : keys_of) {
    EXPECT_NEAR(keys, 1000, 160) << "shard " << shard;  // five standard deviations
  }
}

TEST(ShardMapTest, SpreadsChunksOfOneBlockEvenly) {
  std::map<LaneId, int> chunks_of;
  const std::vector<LaneId> lanes = AssignShards(256, 4);

  for (uint32_t chunk = 0; chunk < 72; ++chunk) {
    ++chunks_of[lanes[ShardOfChunk(3, chunk, 256)]];
  }

  for (const auto& [lane, chunks] : chunks_of) {
    EXPECT_NEAR(chunks, 18, 2) << "lane " << lane;
  }
}

TEST(ShardMapTest, SpreadsBlocksOfOneChunkEvenly) {
  std::map<LaneId, int> blocks_of;
  const std::vector<LaneId> lanes = AssignShards(256, 4);

  for (BlockId block = 0; block < 72; ++block) {
    ++blocks_of[lanes[ShardOfChunk(block, 0, 256)]];
  }

  for (const auto& [lane, blocks] : blocks_of) {
    EXPECT_NEAR(blocks, 18, 2) << "lane " << lane;
  }
}

TEST(ShardMapTest, AssignsContiguousBalancedRuns) {
  EXPECT_THAT(AssignShards(5, 2), ElementsAre(0, 0, 0, 1, 1));
  EXPECT_THAT(AssignShards(2, 3), ElementsAre(0, 1));
  EXPECT_TRUE(std::ranges::is_sorted(AssignShards(256, 7)));
  for (LaneId lane = 0; lane < 7; ++lane) {
    EXPECT_NEAR(static_cast<double>(std::ranges::count(AssignShards(256, 7), lane)), 36.6, 0.7);
  }
}

TEST(ShardMapTest, ListsShardsOfLane) {
  EXPECT_THAT(ShardsOfLane({0, 1, 0, 2, 0}, 0), ElementsAre(0, 2, 4));
  EXPECT_THAT(ShardsOfLane({0, 1}, 5), ElementsAre());
}

TEST(ShardMapTest, BalancesByMovingAsFewAsPossible) {
  const std::vector<LaneId> before = AssignShards(100, 3);

  const std::vector<LaneId> after = BalanceShards(before, 4);

  std::map<LaneId, int> count;
  int moved = 0;
  for (size_t shard = 0; shard < before.size(); ++shard) {
    ++count[after[shard]];
    moved += after[shard] == before[shard] ? 0 : 1;
  }
  EXPECT_THAT(count, ElementsAre(std::pair(0U, 25), std::pair(1U, 25), std::pair(2U, 25),
                                 std::pair(3U, 25)));
  EXPECT_EQ(moved, 25);
}

TEST(ShardMapTest, GivesShardsWithoutALaneToThoseThatHaveFewest) {
  EXPECT_THAT(BalanceShards({kNoLane, 0, 0, kNoLane, 1, kNoLane, 1}, 3),
              ElementsAre(0, 0, 0, 2, 1, 2, 1));
  EXPECT_THAT(BalanceShards({0, kNoLane}, 5), ElementsAre(0, 1)) << "more lanes than shards";
}

}  // namespace
}  // namespace antiphon
