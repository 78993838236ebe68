#include "common/cluster/chunk_layout.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/cluster/shard_map.h"

namespace antiphon {
namespace {

using ::testing::HasSubstr;

ParameterSchema TwoBlocks() {
  ParameterSchema schema;
  schema.set_shard_count(16);
  schema.set_chunk_floats(100);
  BlockSpec* matrix = schema.add_blocks();
  matrix->set_name("matrix");
  matrix->set_rows(50);
  matrix->set_cols(7);
  BlockSpec* bias = schema.add_blocks();
  bias->set_name("bias");
  bias->set_rows(1);
  bias->set_cols(200);
  return schema;
}

TEST(ChunkLayoutTest, CutsBlocksInChunksWithAShorterLast) {
  const std::vector<Chunk> chunks = AllChunks(TwoBlocks());

  ASSERT_EQ(chunks.size(), 6u);
  EXPECT_EQ(
      chunks[3],
      (Chunk{
          .block = 0, .index = 3, .offset = 300, .floats = 50, .shard = ShardOfChunk(0, 3, 16)}));
  EXPECT_EQ(
      chunks[5],
      (Chunk{
          .block = 1, .index = 1, .offset = 100, .floats = 100, .shard = ShardOfChunk(1, 1, 16)}));
}

TEST(ChunkLayoutTest, GivesEveryChunkToExactlyOneLane) {
  const ParameterSchema schema = TwoBlocks();
  const std::vector<LaneId> lane_of_shard = AssignShards(16, 3);
  std::vector<Chunk> together;

  for (LaneId lane = 0; lane < 3; ++lane) {
    const std::vector<Chunk> own = LaneChunks(schema, lane_of_shard, lane);
    together.insert(together.end(), own.begin(), own.end());
  }

  EXPECT_THAT(together, ::testing::UnorderedElementsAreArray(AllChunks(schema)));
}

TEST(ChunkLayoutTest, KeepsTheOrderOfTheWholeListOnALane) {
  const std::vector<Chunk> own = LaneChunks(TwoBlocks(), AssignShards(16, 2), 1);

  EXPECT_TRUE(std::ranges::is_sorted(
      own, {}, [](const Chunk& chunk) { return std::pair(chunk.block, chunk.index); }));
}

TEST(ChunkLayoutTest, RefusesSchemaWithoutSizes) {
  ParameterSchema schema = TwoBlocks();
  EXPECT_TRUE(CheckSchema(schema).ok());

  schema.mutable_blocks(1)->set_cols(0);
  EXPECT_THAT(CheckSchema(schema).message(), HasSubstr("block 'bias' is 0"));

  schema = TwoBlocks();
  schema.add_tables()->set_name("user");
  EXPECT_THAT(CheckSchema(schema).message(), HasSubstr("dim of table 'user' is 0"));

  schema.clear_shard_count();
  EXPECT_THAT(CheckSchema(schema).message(), HasSubstr("schema.shard_count is 0"));
}

TEST(CheckSchemaTest, SegmentsFillTheRow) {
  ParameterSchema schema;
  schema.set_shard_count(1);
  schema.set_chunk_floats(1);
  TableSpec& table = *schema.add_tables();
  table.set_name("user");
  table.set_dim(4);
  table.add_segments()->set_dim(1);
  table.add_segments()->set_dim(2);

  const Status status = CheckSchema(schema);

  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), ::testing::HasSubstr("add up to 3, expected its dim, 4"));
  table.mutable_segments(1)->set_dim(3);
  EXPECT_TRUE(CheckSchema(schema).ok());
}

}  // namespace
}  // namespace antiphon
