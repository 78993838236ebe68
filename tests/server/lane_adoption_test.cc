// Shards that go from lane to lane while both serve.
#include <chrono>
#include <map>
#include <numeric>
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

constexpr Key kKeys = 200;

// Three lanes, of which the last has joined: the first two have all shards at first.
class LaneAdoptionTest : public ::testing::Test {
 protected:
  LaneAdoptionTest() : lanes_(3, fs_), placement_(AssignShards(kTestShards, 2)) {
    view_ = TestView(3);
    Place(placement_);
    for (LaneId lane = 0; lane < 3; ++lane) {
      EXPECT_TRUE(Configure(lane).ok());
    }
    OpenAll(1);
    Train();
  }

  void Place(const std::vector<LaneId>& placement) {
    placement_ = placement;
    view_.mutable_lane_of_shard()->Assign(placement.begin(), placement.end());
  }

  Status Configure(LaneId lane) {
    ConfigureRequest config = TestConfig(3, lane);
    *config.mutable_view() = view_;
    return lanes_.Call(lane, METHOD_CONFIGURE, config).status;
  }

  // All lanes go by the next view, and ann does.
  void TakeNextView() {
    view_.set_epoch(view_.epoch() + 1);
    for (LaneId lane = 0; lane < 3; ++lane) {
      const Status status = Configure(lane);
      EXPECT_TRUE(status.ok()) << status;
    }
    lanes_.ann.rpc().SetCluster(kTestCluster, view_.epoch());
  }

  void OpenAll(uint64_t lease) {
    for (LaneId lane = 0; lane < 3; ++lane) {
      const Answer answer = lanes_.Call(lane, METHOD_OPEN_PARTITION, OpenRequest(0, lease));
      EXPECT_TRUE(answer.status.ok()) << answer.status;
    }
    lease_ = lease;
  }

  std::vector<Key> KeysOf(LaneId lane) const {
    std::vector<Key> keys;
    for (Key key = 0; key < kKeys; ++key) {
      if (placement_[ShardOfKey(0, key, kTestShards)] == lane) {
        keys.push_back(key);
      }
    }
    return keys;
  }

  // One more for every key, as a batch of one position.
  void Train() {
    ++step_;
    for (LaneId lane = 0; lane < 3; ++lane) {
      const std::vector<Key> keys = KeysOf(lane);
      const Answer pulled =
          lanes_.Call(lane, METHOD_PULL, PullOf(step_, 0, keys.size()), {BufferOf(keys)});
      EXPECT_TRUE(pulled.status.ok()) << pulled.status;
      PushRequest push = PushOf(step_, 0, keys.size(), step_ - 1, step_);
      push.set_lease_epoch(lease_);
      const Answer pushed =
          lanes_.Call(lane, METHOD_PUSH, push,
                      {BufferOf(std::vector<float>(2 * keys.size(), -1)),
                       BufferOf(std::vector<uint32_t>(keys.size(), 1U << 16)), Buffer()});
      EXPECT_TRUE(pushed.status.ok()) << pushed.status;
    }
  }

  // What every key weighs, looked for where it should be.
  std::vector<float> Weights() {
    std::vector<float> weights;
    for (LaneId lane = 0; lane < 3; ++lane) {
      const std::vector<Key> keys = KeysOf(lane);
      PullRequest pull = PullOf(++other_steps_, 0, keys.size());
      pull.set_purpose(PURPOSE_EVAL);
      const Answer answer = lanes_.Call(lane, METHOD_PULL, pull, {BufferOf(keys)});
      EXPECT_TRUE(answer.status.ok()) << answer.status;
      if (answer.status.ok()) {
        const std::vector<float> floats = answer.Floats(0);
        weights.insert(weights.end(), floats.begin(), floats.end());
      }
    }
    EXPECT_EQ(weights.size(), 2 * kKeys);
    return weights;
  }

  // The lanes with shards write what is new, or, the first time, everything.
  void WriteSnapshot() {
    WriteSnapshotRequest request;
    request.set_version(++version_);
    request.set_directory(SnapshotFolder("/snaps", version_));
    if (version_ > 1) {
      request.set_delta_since(version_ - 1);
    }
    EXPECT_TRUE(fs_.MakeDirectories(request.directory()).ok());
    SnapshotFiles files;
    for (LaneId lane = 0; lane < 3; ++lane) {
      if (!KeysOf(lane).empty()) {
        *files.Add() =
            lanes_.Call(lane, METHOD_WRITE_SNAPSHOT, request).Parse<WriteSnapshotReply>().file();
      }
    }
    if (version_ == 1) {
      chain_.set_directory(request.directory());
      *chain_.mutable_files() = files;
    } else {
      RestoreDelta* delta = chain_.add_deltas();
      delta->set_directory(request.directory());
      *delta->mutable_files() = files;
    }
    chain_.set_version(version_);
  }

  // Time for so many slices.
  void Settle(int slices) {
    for (int i = 0; i < slices; ++i) {
      lanes_.clock().Advance(std::chrono::milliseconds(1));
      lanes_.Run();
    }
  }

  // However many slices it takes.
  Answer Adopt(LaneId lane, const AdoptRequest& request) {
    Answer answer;
    lanes_.ann.Send(lane, METHOD_ADOPT, request, {}, answer);
    for (int i = 0; i < 1000 && answer.count == 0; ++i) {
      Settle(1);
    }
    EXPECT_EQ(answer.count, 1);
    return answer;
  }

  AdoptRequest AdoptionOf(const std::vector<ShardId>& shards) const {
    AdoptRequest request;
    request.mutable_shards()->Assign(shards.begin(), shards.end());
    *request.mutable_from() = chain_;
    return request;
  }

  // The whole way: shards go to `lane` while training goes on.
  void Move(LaneId lane, const std::vector<ShardId>& shards) {
    WriteSnapshot();
    EXPECT_TRUE(Adopt(lane, AdoptionOf(shards)).status.ok());
    Train();
    WriteSnapshot();
    EXPECT_TRUE(Adopt(lane, AdoptionOf(shards)).status.ok());
    Train();
    TakeNextView();
    WriteSnapshot();
    EXPECT_TRUE(Adopt(lane, AdoptionOf(shards)).status.ok());
    std::vector<LaneId> placement = placement_;
    for (const ShardId shard : shards) {
      placement[shard] = lane;
    }
    Place(placement);
    TakeNextView();
    OpenAll(lease_ + 1);
  }

  MemoryFileSystem fs_;
  TestLanes lanes_;
  ClusterView view_;
  std::vector<LaneId> placement_;
  RestoreRequest chain_;
  uint64_t version_ = 0;
  uint64_t lease_ = 0;
  uint64_t step_ = 0;
  uint64_t other_steps_ = 1000;
};

TEST_F(LaneAdoptionTest, ALaneThatJoinedServesWhatItHasAdopted) {
  Move(2, {0, 1, 8, 9, 10});

  EXPECT_THAT(Weights(), Each(3));
  Train();
  EXPECT_THAT(Weights(), Each(4));
  Settle(10);
  EXPECT_EQ(lanes_.StatusOf(0).tables(0).rows() + lanes_.StatusOf(1).tables(0).rows() +
                lanes_.StatusOf(2).tables(0).rows(),
            kKeys)
      << "what went is forgotten";
}

TEST_F(LaneAdoptionTest, ALaneTakesAllThatAnotherHas) {
  std::vector<ShardId> all(kTestShards / 2);
  std::iota(all.begin(), all.end(), 0U);

  Move(1, all);

  EXPECT_THAT(Weights(), Each(3));
  Train();
  EXPECT_THAT(Weights(), Each(4));
  Settle(10);
  EXPECT_EQ(lanes_.StatusOf(0).tables(0).rows(), 0U);
}

TEST_F(LaneAdoptionTest, ShardsStandWhereTheyStoodOnTheLaneBefore) {
  WriteSnapshot();
  // Lane 0 has one batch more than lane 1 when shards of both move.
  const std::vector<Key> keys = KeysOf(0);
  lanes_.Call(0, METHOD_PULL, PullOf(50, 0, keys.size()), {BufferOf(keys)});
  PushRequest push = PushOf(50, 0, keys.size(), 1, 2);
  ASSERT_TRUE(lanes_
                  .Call(0, METHOD_PUSH, push,
                        {BufferOf(std::vector<float>(2 * keys.size(), -1)),
                         BufferOf(std::vector<uint32_t>(keys.size(), 1U << 16)), Buffer()})
                  .status.ok());
  TakeNextView();
  WriteSnapshot();
  ASSERT_TRUE(Adopt(2, AdoptionOf({0, 8})).status.ok());
  std::vector<LaneId> placement = placement_;
  placement[0] = placement[8] = 2;
  Place(placement);
  TakeNextView();

  const auto opened =
      lanes_.Call(2, METHOD_OPEN_PARTITION, OpenRequest(0, 2)).Parse<OpenPartitionReply>();

  EXPECT_THAT(opened.applied_through(), ::testing::ElementsAre(1, 2));
  lease_ = 2;
  lanes_.Call(0, METHOD_OPEN_PARTITION, OpenRequest(0, 2));
  lanes_.Call(1, METHOD_OPEN_PARTITION, OpenRequest(0, 2));
  Train();
  EXPECT_THAT(Weights(), Each(2)) << "who has the batch skips it";
}

// As when the server that had them is lost before there was any snapshot.
TEST_F(LaneAdoptionTest, ShardsThatAreInNoSnapshotBeginAnew) {
  const std::vector<ShardId> lost = {0, 1, 2};
  AdoptRequest request;
  request.mutable_shards()->Assign(lost.begin(), lost.end());
  const Answer answer = Adopt(1, request);
  ASSERT_TRUE(answer.status.ok()) << answer.status;
  std::vector<LaneId> placement = placement_;
  for (const ShardId shard : lost) {
    placement[shard] = 1;
  }
  Place(placement);
  TakeNextView();

  const auto opened =
      lanes_.Call(1, METHOD_OPEN_PARTITION, OpenRequest(0, 2)).Parse<OpenPartitionReply>();

  EXPECT_THAT(opened.applied_through(), ElementsAre(0, 1)) << "these, and those it had";
}

TEST_F(LaneAdoptionTest, ShardsThatAreReadForOtherPartitionsBeginThemAnew) {
  WriteSnapshot();
  AdoptRequest request = AdoptionOf({0, 1, 2});
  request.mutable_from()->set_forget_positions(true);
  ASSERT_TRUE(Adopt(2, request).status.ok());
  std::vector<LaneId> placement = placement_;
  placement[0] = placement[1] = placement[2] = 2;
  Place(placement);
  TakeNextView();

  const auto opened =
      lanes_.Call(2, METHOD_OPEN_PARTITION, OpenRequest(0, 2)).Parse<OpenPartitionReply>();

  EXPECT_THAT(opened.applied_through(), ElementsAre(0));
  EXPECT_THAT(Weights(), Each(1)) << "rows are as they were";
}

TEST_F(LaneAdoptionTest, ServesWhileItReads) {
  WriteSnapshot();
  std::vector<ShardId> shards(kTestShards / 2);
  std::iota(shards.begin(), shards.end(), 0U);
  Answer adopted;
  lanes_.ann.Send(1, METHOD_ADOPT, AdoptionOf(shards), {}, adopted);
  const std::vector<Key> keys = KeysOf(1);

  int pulls = 0;
  for (; adopted.count == 0 && pulls < 100; ++pulls) {
    PullRequest pull = PullOf(100 + static_cast<uint64_t>(pulls), 0, keys.size());
    const Answer answer = lanes_.Call(1, METHOD_PULL, pull, {BufferOf(keys)});
    ASSERT_TRUE(answer.status.ok()) << answer.status;
    EXPECT_THAT(answer.Floats(0), Each(1));
    Settle(1);
  }

  EXPECT_TRUE(adopted.status.ok()) << adopted.status;
  EXPECT_GT(pulls, 1);
}

TEST_F(LaneAdoptionTest, NobodyFindsWhatIsOnlyAdopted) {
  WriteSnapshot();
  ASSERT_TRUE(Adopt(1, AdoptionOf({0, 1, 2})).status.ok());
  Key adopted = 0;
  while (ShardOfKey(0, adopted, kTestShards) > 2) {
    ++adopted;
  }

  const Answer answer =
      lanes_.Call(1, METHOD_PULL, PullOf(60, 0, 1), {BufferOf(std::vector<Key>{adopted})});

  EXPECT_EQ(answer.status.code(), StatusCode::kWrongShard) << answer.status;
}

TEST_F(LaneAdoptionTest, ForgetsWhatNobodyWantsAnyMore) {
  WriteSnapshot();
  const uint64_t rows = lanes_.StatusOf(1).tables(0).rows();
  const auto adopted = Adopt(1, AdoptionOf({0, 1, 2})).Parse<AdoptReply>();
  EXPECT_GT(adopted.rows(), 0U);
  EXPECT_EQ(lanes_.StatusOf(1).tables(0).rows(), rows + adopted.rows());

  ASSERT_TRUE(Adopt(1, AdoptRequest()).status.ok());
  Settle(10);

  EXPECT_EQ(lanes_.StatusOf(1).tables(0).rows(), rows);
  TakeNextView();
  OpenAll(2);
  Train();
  EXPECT_THAT(Weights(), Each(2));
}

TEST_F(LaneAdoptionTest, RefusesAViewThatGivesItWhatItHasNotRead) {
  std::vector<LaneId> placement = placement_;
  placement[0] = 1;
  Place(placement);
  view_.set_epoch(2);

  const Status status = Configure(1);

  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("a shard that it neither has nor has adopted"));
}

TEST_F(LaneAdoptionTest, BeginsAnewAfterAFileThatIsDamaged) {
  WriteSnapshot();
  RestoreRequest good = chain_;
  chain_.mutable_files(0)->set_crc32c(1);
  const Answer failed = Adopt(2, AdoptionOf({0, 1}));
  EXPECT_EQ(failed.status.code(), StatusCode::kDataLoss) << failed.status;

  chain_ = good;
  const Answer read = Adopt(2, AdoptionOf({0, 1}));

  EXPECT_TRUE(read.status.ok()) << read.status;
}

TEST_F(LaneAdoptionTest, RefusesToAdoptWhatItHas) {
  WriteSnapshot();

  const Answer answer = Adopt(0, AdoptionOf({0}));

  EXPECT_EQ(answer.status.code(), StatusCode::kInvalidArgument) << answer.status;
}

TEST_F(LaneAdoptionTest, TheNextSnapshotAfterAMoveIsAFullOne) {
  Move(2, {0, 1});
  WriteSnapshotRequest request;
  request.set_version(9);
  request.set_directory("/snaps/snapshot-9");
  ASSERT_TRUE(fs_.MakeDirectories(request.directory()).ok());
  request.set_delta_since(version_);

  EXPECT_EQ(lanes_.Call(2, METHOD_WRITE_SNAPSHOT, request).status.code(),
            StatusCode::kFailedPrecondition);
  EXPECT_EQ(lanes_.Call(0, METHOD_WRITE_SNAPSHOT, request).status.code(),
            StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace antiphon
