#include <algorithm>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/ckpt/snapshot_manifest.h"
#include "tests/server/lane_fixture.h"

namespace antiphon {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kFolder[] = "/snaps/snapshot-1";
constexpr size_t kKeyCount = 200;

// The keys of [0, kKeyCount) in table 1 that lie on a lane.
std::vector<Key> KeysOf(LaneId lane, uint32_t lanes) {
  std::vector<Key> keys;
  for (Key key = 0; key < kKeyCount; ++key) {
    if (LaneOfKey(1, key, lanes) == lane) {
      keys.push_back(key);
    }
  }
  return keys;
}

class LaneSnapshotTest : public ::testing::Test {
 protected:
  LaneSnapshotTest() { EXPECT_TRUE(fs_.MakeDirectories(kFolder).ok()); }

  // Pulls all keys of a lane and pushes -1 to each of them and to every chunk.
  void Train(TestLanes& lanes, LaneId lane, Position begin, Position end,
             PushReply::Outcome expected = PushReply::APPLIED) {
    const std::vector<Key> keys = KeysOf(lane, static_cast<uint32_t>(lanes.size()));
    PullRequest pull = PullOf(begin, 1, keys.size());
    pull.set_dense_version(0);
    const Answer pulled = lanes.Call(lane, METHOD_PULL, pull, {BufferOf(keys)});
    const PullReply reply = pulled.Parse<PullReply>();
    PushRequest push = PushOf(begin, 1, keys.size(), begin, end);
    push.set_lease_epoch(9);
    push.set_chunk_bits(reply.chunk_bits());
    ASSERT_TRUE(lanes.Call(lane, METHOD_OPEN_PARTITION, OpenRequest(0, 9)).status.ok());
    const Answer pushed = lanes.Call(
        lane, METHOD_PUSH, push,
        {BufferOf(std::vector<float>(3 * keys.size(), -1)),
         BufferOf(std::vector<uint32_t>(keys.size(), 1U << 16 | 1)),
         BufferOf(std::vector<float>(pulled.message.bulk()[1].size() / sizeof(float), -1))});
    EXPECT_EQ(pushed.Parse<PushReply>().outcome(), expected);
  }

  // The weights of table 1 by key, then the dense block; what a reader of the whole model sees.
  static std::vector<float> Model(TestLanes& lanes) {
    const auto lane_count = static_cast<uint32_t>(lanes.size());
    std::vector<float> model(3 * kKeyCount + 20);
    for (LaneId lane = 0; lane < lane_count; ++lane) {
      const std::vector<Key> keys = KeysOf(lane, lane_count);
      PullRequest pull = PullOf(1000, 1, keys.size());
      pull.set_purpose(PURPOSE_EVAL);
      pull.set_dense_version(0);
      const Answer answer = lanes.Call(lane, METHOD_PULL, pull, {BufferOf(keys)});
      const std::vector<float> rows = answer.Floats(0);
      for (size_t i = 0; i < keys.size(); ++i) {
        std::copy_n(rows.data() + 3 * i, 3, model.data() + 3 * keys[i]);
      }
      const std::vector<float> floats = answer.Floats(1);
      const float* from = floats.data();
      const ClusterView view = TestView(lane_count);
      for (const Chunk& chunk : LaneChunks(
               TestSchema(), {view.lane_of_shard().begin(), view.lane_of_shard().end()}, lane)) {
        std::copy_n(from, chunk.floats, model.data() + 3 * kKeyCount + chunk.offset);
        from += chunk.floats;
      }
    }
    return model;
  }

  RestoreRequest Save(TestLanes& lanes) {
    RestoreRequest restore;
    restore.set_directory(kFolder);
    WriteSnapshotRequest write;
    write.set_directory(kFolder);
    write.set_version(1);
    for (LaneId lane = 0; lane < lanes.size(); ++lane) {
      *restore.add_files() =
          lanes.Call(lane, METHOD_WRITE_SNAPSHOT, write).Parse<WriteSnapshotReply>().file();
    }
    return restore;
  }

  static Status RestoreAll(TestLanes& lanes, const RestoreRequest& restore) {
    for (LaneId lane = 0; lane < lanes.size(); ++lane) {
      AP_RETURN_IF_ERROR(lanes.Call(lane, METHOD_RESTORE, restore).status);
    }
    return Status();
  }

  MemoryFileSystem fs_;
};

TEST_F(LaneSnapshotTest, RestoresOnAnyNumberOfLanes) {
  for (const uint32_t before : {1, 3}) {
    for (const uint32_t after : {1, 2, 3, 20}) {
      MemoryFileSystem fs;
      ASSERT_TRUE(fs.MakeDirectories(kFolder).ok());
      TestLanes old_lanes(before, fs);
      old_lanes.Configure();
      for (LaneId lane = 0; lane < before; ++lane) {
        Train(old_lanes, lane, 0, 10);
        Train(old_lanes, lane, 10, 20);
      }
      const std::vector<float> model = Model(old_lanes);
      const RestoreRequest restore = Save(old_lanes);

      TestLanes new_lanes(after, fs);
      new_lanes.Configure();
      const Status restored = RestoreAll(new_lanes, restore);

      ASSERT_TRUE(restored.ok()) << restored;
      EXPECT_EQ(Model(new_lanes), model) << before << " -> " << after;
      for (LaneId lane = 0; lane < std::min(after, 3U); ++lane) {
        EXPECT_THAT(new_lanes.Call(lane, METHOD_OPEN_PARTITION, OpenRequest(0, 10))
                        .Parse<OpenPartitionReply>()
                        .applied_through(),
                    ElementsAre(20));
      }
    }
  }
}

// Rows of two parts, as FM has them, each with the state of its own optimizer: what is learned
// after the restore depends on every float of it.
TEST_F(LaneSnapshotTest, RestoresRowsOfSegmentsOnAnyNumberOfLanes) {
  ParameterSchema schema = TestSchema();
  TableSpec& table = *schema.mutable_tables(1);
  RowSegment& linear = *table.add_segments();
  linear.set_dim(1);
  linear.mutable_optimizer()->mutable_ftrl_optimizer()->set_l1_reg(0.1F);
  RowSegment& embedding = *table.add_segments();
  embedding.set_dim(2);
  embedding.mutable_optimizer()->mutable_lazy_adam_optimizer();
  embedding.mutable_initializer()->mutable_uniform_initializer();
  table.clear_optimizer();
  table.clear_initializer();
  for (const uint32_t before : {1, 3}) {
    for (const uint32_t after : {1, 2, 5}) {
      MemoryFileSystem fs;
      ASSERT_TRUE(fs.MakeDirectories(kFolder).ok());
      TestLanes old_lanes(before, fs);
      old_lanes.Configure({}, schema);
      for (LaneId lane = 0; lane < before; ++lane) {
        Train(old_lanes, lane, 0, 10);
      }
      const RestoreRequest restore = Save(old_lanes);

      TestLanes new_lanes(after, fs);
      new_lanes.Configure({}, schema);
      const Status restored = RestoreAll(new_lanes, restore);

      ASSERT_TRUE(restored.ok()) << restored;
      const std::vector<float> model = Model(old_lanes);
      EXPECT_EQ(Model(new_lanes), model) << before << " -> " << after;
      for (LaneId lane = 0; lane < before; ++lane) {
        Train(old_lanes, lane, 10, 20);
      }
      for (LaneId lane = 0; lane < after; ++lane) {
        Train(new_lanes, lane, 10, 20);
      }
      EXPECT_NE(Model(old_lanes), model);
      EXPECT_EQ(Model(new_lanes), Model(old_lanes)) << before << " -> " << after;
    }
  }
}

TEST_F(LaneSnapshotTest, ReplaysOnlyIntoShardsThatWereBehind) {
  TestLanes old_lanes(3, fs_);
  old_lanes.Configure();
  for (LaneId lane = 0; lane < 3; ++lane) {
    Train(old_lanes, lane, 0, 10);
  }
  Train(old_lanes, 0, 10, 20);  // lane 0 is ahead of the others when it is saved
  const RestoreRequest restore = Save(old_lanes);
  for (LaneId lane = 1; lane < 3; ++lane) {
    Train(old_lanes, lane, 10, 20);
  }
  const std::vector<float> model = Model(old_lanes);

  TestLanes lane(1, fs_);
  lane.Configure();
  ASSERT_TRUE(RestoreAll(lane, restore).ok());
  EXPECT_THAT(lane.Call(0, METHOD_OPEN_PARTITION, OpenRequest(0, 9))
                  .Parse<OpenPartitionReply>()
                  .applied_through(),
              ElementsAre(10, 20));
  EXPECT_NE(Model(lane), model);
  Train(lane, 0, 10, 20);
  EXPECT_EQ(Model(lane), model) << "every shard has seen both batches once";
  Train(lane, 0, 10, 20, PushReply::DUPLICATE);
  EXPECT_EQ(Model(lane), model);
}

TEST_F(LaneSnapshotTest, FencesTheLeasesOfBeforeTheRestore) {
  TestLanes old_lanes(1, fs_);
  old_lanes.Configure();
  Train(old_lanes, 0, 0, 10);
  const RestoreRequest restore = Save(old_lanes);

  TestLanes lane(1, fs_);
  lane.Configure();
  ASSERT_TRUE(RestoreAll(lane, restore).ok());

  EXPECT_EQ(lane.Call(0, METHOD_OPEN_PARTITION, OpenRequest(0, 8)).status.code(),
            StatusCode::kStaleEpoch);
}

TEST_F(LaneSnapshotTest, ForgetsPositionsThatMeanNothingToTheJob) {
  TestLanes old_lanes(1, fs_);
  old_lanes.Configure();
  Train(old_lanes, 0, 0, 10);
  RestoreRequest restore = Save(old_lanes);
  restore.set_forget_positions(true);

  TestLanes lane(1, fs_);
  lane.Configure();
  ASSERT_TRUE(RestoreAll(lane, restore).ok());

  EXPECT_EQ(Model(lane), Model(old_lanes));
  EXPECT_THAT(lane.Call(0, METHOD_OPEN_PARTITION, OpenRequest(0, 1))
                  .Parse<OpenPartitionReply>()
                  .applied_through(),
              ElementsAre(0));
}

TEST_F(LaneSnapshotTest, RepeatedRequestsWriteAndReadOnce) {
  TestLanes lanes(1, fs_);
  lanes.Configure();
  Train(lanes, 0, 0, 10);
  const RestoreRequest first = Save(lanes);
  Train(lanes, 0, 10, 20);

  const RestoreRequest second = Save(lanes);

  EXPECT_EQ(first.SerializeAsString(), second.SerializeAsString())
      << "the file is not written over";
  WriteSnapshotRequest other;
  other.set_directory(kFolder);
  other.set_version(2);
  EXPECT_EQ(lanes.Call(0, METHOD_WRITE_SNAPSHOT, other).status.code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(lanes.Call(0, METHOD_RESTORE, first).status.code(), StatusCode::kFailedPrecondition)
      << "training has begun";

  TestLanes restored(1, fs_);
  restored.Configure();
  ASSERT_TRUE(RestoreAll(restored, first).ok());
  Train(restored, 0, 10, 20);
  const std::vector<float> model = Model(restored);
  EXPECT_TRUE(RestoreAll(restored, first).ok()) << "a late copy of the request";
  EXPECT_EQ(Model(restored), model) << "and it is not obeyed again";
}

TEST_F(LaneSnapshotTest, KeepsCountersOfRowsAndStepsOfTables) {
  TestLanes old_lanes(1, fs_);
  old_lanes.Configure();
  Train(old_lanes, 0, 0, 10);
  ExplainRequest explain;
  explain.set_table(1);
  explain.set_key(3);
  const std::string before =
      old_lanes.Call(0, METHOD_EXPLAIN, explain).Parse<ExplainReply>().ShortDebugString();
  const RestoreRequest restore = Save(old_lanes);

  TestLanes lane(1, fs_);
  lane.Configure();
  ASSERT_TRUE(RestoreAll(lane, restore).ok());

  EXPECT_EQ(lane.Call(0, METHOD_EXPLAIN, explain).Parse<ExplainReply>().ShortDebugString(), before);
  EXPECT_THAT(before, HasSubstr("shows: 1 clicks: 1"));
}

TEST_F(LaneSnapshotTest, RefusesAnotherModelAndStaysAsItWas) {
  TestLanes old_lanes(1, fs_);
  old_lanes.Configure();
  Train(old_lanes, 0, 0, 10);
  const RestoreRequest restore = Save(old_lanes);
  TestLanes lane(1, fs_);
  ConfigureRequest config = TestConfig(1, 0);
  config.mutable_schema()->mutable_tables(1)->set_dim(4);
  ASSERT_TRUE(lane.Call(0, METHOD_CONFIGURE, config).status.ok());

  const Status status = RestoreAll(lane, restore);

  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("dim of table 'table3' is 3, the job has 4"));
  EXPECT_EQ(lane.StatusOf(0).tables(1).rows(), 0u);
}

TEST_F(LaneSnapshotTest, RefusesMissingDoubledAndDamagedFiles) {
  TestLanes old_lanes(3, fs_);
  old_lanes.Configure();
  for (LaneId lane = 0; lane < 3; ++lane) {
    Train(old_lanes, lane, 0, 10);
  }
  const RestoreRequest whole = Save(old_lanes);
  RestoreRequest missing = whole;
  missing.mutable_files()->RemoveLast();
  RestoreRequest doubled = whole;
  *doubled.add_files() = whole.files(0);
  TestLanes lane(1, fs_);
  lane.Configure();

  EXPECT_EQ(RestoreAll(lane, missing).code(), StatusCode::kDataLoss);
  EXPECT_FALSE(RestoreAll(lane, doubled).ok());
  fs_.FlipBit(std::string(kFolder) + "/lane-1.aps", 8 * 1000);
  EXPECT_EQ(RestoreAll(lane, whole).code(), StatusCode::kDataLoss);

  EXPECT_EQ(lane.StatusOf(0).tables(1).rows(), 0u) << "nothing of it is kept";
  fs_.FlipBit(std::string(kFolder) + "/lane-1.aps", 8 * 1000);
  EXPECT_TRUE(RestoreAll(lane, whole).ok());
}

TEST_F(LaneSnapshotTest, WritesAgainAfterAFailure) {
  TestLanes lanes(1, fs_);
  lanes.Configure();
  Train(lanes, 0, 0, 10);
  WriteSnapshotRequest write;
  write.set_directory(kFolder);
  write.set_version(1);
  fs_.FailAt(MemoryFileSystem::Operation::kSync, 1);

  const Status failed = lanes.Call(0, METHOD_WRITE_SNAPSHOT, write).status;

  EXPECT_EQ(failed.code(), StatusCode::kUnavailable);
  EXPECT_THAT(failed.message(), HasSubstr("sync"));
  EXPECT_TRUE(lanes.Call(0, METHOD_WRITE_SNAPSHOT, write).status.ok()) << "there is room again";
}

// A push comes between the request and the first slice: the file has none of it.
TEST_F(LaneSnapshotTest, ShowsTheMomentOfTheRequest) {
  TestLanes lanes(1, fs_);
  lanes.Configure();
  Train(lanes, 0, 0, 10);
  const std::vector<float> model = Model(lanes);
  WriteSnapshotRequest write;
  write.set_directory(kFolder);
  write.set_version(1);
  const std::vector<Key> keys = KeysOf(0, 1);
  Answer written;
  Answer pushed;

  // Both are there before the lane looks.
  lanes.ann.Send(0, METHOD_WRITE_SNAPSHOT, write, {}, written);
  PushRequest push = PushOf(77, 1, keys.size(), 10, 20);
  push.set_lease_epoch(9);
  push.set_has_keys(true);
  push.set_chunk_bits("\x1f");
  lanes.ann.Send(0, METHOD_PUSH, push,
                 {BufferOf(std::vector<float>(3 * keys.size(), -1)),
                  BufferOf(std::vector<uint32_t>(keys.size(), 0)),
                  BufferOf(std::vector<float>(20, -1)), BufferOf(keys)},
                 pushed);
  lanes.Run();

  ASSERT_EQ(pushed.Parse<PushReply>().outcome(), PushReply::APPLIED);
  EXPECT_NE(Model(lanes), model);
  RestoreRequest restore;
  restore.set_directory(kFolder);
  *restore.add_files() = written.Parse<WriteSnapshotReply>().file();
  TestLanes restored(1, fs_);
  restored.Configure();
  ASSERT_TRUE(RestoreAll(restored, restore).ok());
  EXPECT_EQ(Model(restored), model);
  EXPECT_THAT(restored.Call(0, METHOD_OPEN_PARTITION, OpenRequest(0, 10))
                  .Parse<OpenPartitionReply>()
                  .applied_through(),
              ElementsAre(10));
}

// The scheduler gave a round up and began another; the lane had not come to the end of its file.
TEST_F(LaneSnapshotTest, WritesTheLaterOfTwoSnapshots) {
  TestLanes lanes(1, fs_);
  lanes.Configure();
  Train(lanes, 0, 0, 10);
  WriteSnapshotRequest first;
  first.set_directory(kFolder);
  first.set_version(1);
  WriteSnapshotRequest second;
  second.set_directory("/snaps/snapshot-2");
  second.set_version(2);
  ASSERT_TRUE(fs_.MakeDirectories(second.directory()).ok());
  Answer of_first;
  Answer of_second;

  lanes.ann.Send(0, METHOD_WRITE_SNAPSHOT, first, {}, of_first);
  lanes.ann.Send(0, METHOD_WRITE_SNAPSHOT, second, {}, of_second);
  lanes.Run();

  EXPECT_EQ(of_first.count, 0);
  EXPECT_GT(of_second.Parse<WriteSnapshotReply>().file().rows(), 0U);
  EXPECT_FALSE(fs_.Exists(std::string(kFolder) + "/lane-0.aps"));
}

// The checker bites: without the position check a repeated batch counts twice.
TEST_F(LaneSnapshotTest, WithoutThePositionCheckABatchCountsTwice) {
  TestLanes checked(1, fs_);
  TestLanes unchecked(1, fs_, PositionCheck::kOff);
  checked.Configure();
  unchecked.Configure();

  Train(checked, 0, 0, 10);
  Train(checked, 0, 0, 10, PushReply::DUPLICATE);
  Train(unchecked, 0, 0, 10);
  Train(unchecked, 0, 0, 10);

  EXPECT_NE(Model(checked), Model(unchecked));
}

}  // namespace
}  // namespace antiphon
