// Lanes that get tables and dense blocks while they serve: what they have learned does not move,
// what is new begins as in a new job, and snapshots of before and after are whole.
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/server/changing_lanes.h"
#include "tests/server/lane_fixture.h"
#include "tests/support/memory_file_system.h"

namespace antiphon {
namespace {

using ::testing::HasSubstr;

// With one more table and one more dense block.
ParameterSchema GrownSchema() {
  ParameterSchema schema = TestSchema();
  TableSpec table = schema.tables(1);
  table.set_name("hosts");
  *schema.add_tables() = table;
  BlockSpec block = schema.blocks(0);
  block.set_name("scene.news.bias");
  block.set_cols(30);
  block.mutable_initializer()->mutable_uniform_initializer();
  *schema.add_blocks() = block;
  return schema;
}

ParameterSchema GrownTwice() {
  ParameterSchema schema = GrownSchema();
  BlockSpec block = schema.blocks(1);
  block.set_name("scene.radio.bias");
  *schema.add_blocks() = block;
  return schema;
}

// As `before`, and the new blocks as they are in lanes that knew of them from the beginning.
LaneContents WithFreshBlocks(LaneContents before, const ParameterSchema& schema) {
  MemoryFileSystem fs;
  const LaneContents fresh = ChangingLanes(1, fs, schema).All();
  before.chunks.insert(fresh.chunks.begin(), fresh.chunks.end());
  return before;
}

TEST(LaneGrowthTest, KeepsEveryBitAndBeginsWhatIsNewAsInANewJob) {
  for (const uint32_t count : {1, 3}) {
    Rng rng(count);
    MemoryFileSystem fs;
    ChangingLanes lanes(count, fs);
    for (int i = 0; i < 50; ++i) {
      lanes.Change(rng);
    }
    const LaneContents before = lanes.All();

    const Status grown = lanes.Grow(GrownSchema());

    ASSERT_TRUE(grown.ok()) << grown;
    EXPECT_EQ(lanes.All(), WithFreshBlocks(before, GrownSchema()));
    EXPECT_EQ(lanes.All().chunks.size(), 5U + 8U);
  }
}

// The moment of a snapshot lies before the growth, its end behind it.
TEST(LaneGrowthTest, ASnapshotUnderWayHasTheLaneOfItsMoment) {
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rng rng(seed);
    MemoryFileSystem fs;
    ChangingLanes lanes(2, fs);
    for (int i = 0; i < 50; ++i) {
      lanes.Change(rng);
    }
    const LaneContents moment = lanes.All();
    RestoreRequest chain;
    chain.set_directory(SnapshotFolder("/snaps", 1));
    chain.set_version(1);
    WriteSnapshotRequest request;
    request.set_directory(chain.directory());
    request.set_version(1);
    ASSERT_TRUE(fs.MakeDirectories(chain.directory()).ok());
    for (LaneId lane = 0; lane < lanes.count(); ++lane) {
      ASSERT_TRUE(lanes.Begin(lane, request).ok());
    }

    ASSERT_TRUE(lanes.Grow(GrownSchema()).ok());
    for (int i = 0; i < 10; ++i) {
      lanes.Change(rng);
    }
    const Status saved = lanes.Finish(&rng, chain.mutable_files());

    ASSERT_TRUE(saved.ok()) << saved;
    ChangingLanes restored(1, fs);
    const Status status = restored.Restore(chain);
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(restored.All(), moment);
  }
}

TEST(LaneGrowthTest, AFullSnapshotAndDeltasAfterItRestoreTheGrownLanes) {
  Rng rng(5);
  MemoryFileSystem fs;
  ChangingLanes lanes(2, fs);
  lanes.Change(rng);
  SnapshotFiles before;
  ASSERT_TRUE(SaveLanes(lanes, fs, 1, 0, nullptr, &before).ok());
  ASSERT_TRUE(lanes.Grow(GrownSchema()).ok());
  for (int i = 0; i < 20; ++i) {
    lanes.Change(rng);
  }
  SnapshotFiles refused;
  const Status delta_of_smaller = SaveLanes(lanes, fs, 2, 1, nullptr, &refused);
  RestoreRequest chain;
  chain.set_directory(SnapshotFolder("/snaps", 3));
  ASSERT_TRUE(SaveLanes(lanes, fs, 3, 0, nullptr, chain.mutable_files()).ok());
  for (int i = 0; i < 20; ++i) {
    lanes.Change(rng);
  }
  RestoreDelta& delta = *chain.add_deltas();
  delta.set_directory(SnapshotFolder("/snaps", 4));
  ASSERT_TRUE(SaveLanes(lanes, fs, 4, 3, nullptr, delta.mutable_files()).ok());
  chain.set_version(4);

  EXPECT_THAT(delta_of_smaller.message(), HasSubstr("ask for a full one"));
  ChangingLanes restored(3, fs, GrownTwice());
  const Status status = restored.Restore(chain);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(restored.All(), WithFreshBlocks(lanes.All(), GrownTwice()));
}

TEST(LaneGrowthTest, RefusesToChangeWhatItHas) {
  MemoryFileSystem fs;
  ChangingLanes lanes(1, fs);
  const LaneContents before = lanes.All();
  ParameterSchema wider = GrownSchema();
  wider.mutable_tables(0)->set_dim(5);
  ParameterSchema gone = GrownSchema();
  gone.mutable_blocks()->DeleteSubrange(0, 1);
  ParameterSchema broken = GrownSchema();
  broken.mutable_blocks(1)->mutable_optimizer()->mutable_rowwise_adagrad_optimizer();

  EXPECT_THAT(lanes.Grow(wider).message(), HasSubstr("table 'table2' would be another one"));
  EXPECT_THAT(lanes.Grow(gone).message(), HasSubstr("dense block 'bias' would be another one"));
  EXPECT_THAT(lanes.Grow(broken).message(), HasSubstr("block 'scene.news.bias'"));
  EXPECT_EQ(lanes.All(), before);
}

// Who pulled before must pull again, and then pushes what is new as well.
TEST(LaneGrowthTest, WorkersGoOnWithTheNewView) {
  MemoryFileSystem fs;
  TestLanes lanes(1, fs);
  lanes.Configure();
  ConfigureRequest config = TestConfig(1, 0);
  *config.mutable_schema() = GrownSchema();
  config.mutable_view()->set_epoch(2);
  ASSERT_TRUE(lanes.Call(0, METHOD_OPEN_PARTITION, OpenRequest(0, 1)).status.ok());

  ASSERT_TRUE(lanes.Call(0, METHOD_CONFIGURE, config).status.ok());

  const std::vector<Key> keys = {5, 6};
  PullRequest pull = PullOf(1, 2, keys.size());
  pull.set_dense_version(0);
  EXPECT_EQ(lanes.Call(0, METHOD_PULL, pull, {BufferOf(keys)}).status.code(),
            StatusCode::kStaleEpoch);
  lanes.ann.rpc().SetCluster(kTestCluster, 2);
  const Answer pulled = lanes.Call(0, METHOD_PULL, pull, {BufferOf(keys)});
  EXPECT_EQ(pulled.Floats(0).size(), 6U);
  EXPECT_EQ(pulled.Floats(1).size(), 50U);
  PushRequest push = PushOf(1, 2, keys.size(), 0, 10);
  push.set_chunk_bits(pulled.Parse<PullReply>().chunk_bits());
  EXPECT_EQ(
      lanes
          .Call(0, METHOD_PUSH, push,
                {BufferOf(std::vector<float>(6, -1)), BufferOf(std::vector<uint32_t>(2, 1U << 16)),
                 BufferOf(std::vector<float>(50, -1))})
          .Parse<PushReply>()
          .outcome(),
      PushReply::APPLIED);
}

}  // namespace
}  // namespace antiphon
