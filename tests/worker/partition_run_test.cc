#include "worker/partition_run.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/cluster/shard_map.h"
#include "common/net/memory_transport.h"
#include "tests/support/fake_clock.h"
#include "tests/worker/counting_feed.h"
#include "tests/worker/scripted_lane.h"

namespace antiphon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr uint32_t kDim = 2;

// Gradient 1 for every weight.
class OnesComputer final : public StepComputer {
 public:
  void Train(const StepInput& input, uint64_t seed, StepGradients& gradients,
             StepOutput&) override {
    seeds_.push_back(seed);
    gradients.tables.assign(1, std::vector<float>(input.table_rows[0].size(), 1.0F));
  }
  void Score(const StepInput&, StepOutput&) override { ++scored_; }

  std::vector<uint64_t> seeds_;
  int scored_ = 0;
};

class BatchRecorder final : public StepObserver {
 public:
  void StartRun(Partition::Kind) override {}
  void TakeDelta(MetricsDelta&) override {}
  void OnStep(const Batch& batch, const StepOutput&) override {
    batches_.emplace_back(batch.begin, batch.end);
  }
  std::vector<std::pair<Position, Position>> batches_;
};

class PartitionRunTest : public ::testing::Test {
 protected:
  PartitionRunTest() : endpoint_(*transport_.Open({.name = "worker", .listen_address = ""})) {
    schema_.set_shard_count(16);
    schema_.set_chunk_floats(1024);
    TableSpec* table = schema_.add_tables();
    table->set_name("ids");
    table->set_dim(kDim);
    for (int lane = 0; lane < 2; ++lane) {
      const std::string name = "lane" + std::to_string(lane);
      lanes_.push_back(std::make_unique<ScriptedLane>(transport_, clock_, name, kDim));
      view_.add_lanes()->set_address("mem://" + name);
      peers_.push_back(*endpoint_->Connect("mem://" + name));
    }
    for (const LaneId lane : AssignShards(16, 2)) {
      view_.add_lane_of_shard(lane);
    }
    rpc_ = std::make_unique<RpcNode>(*endpoint_, clock_, RpcOptions{.incarnation = 5}, nullptr);
    dense_ = std::make_unique<DenseMirror>(schema_, view_);
  }

  void MakeFeed(Position size, Position batch_size) {
    feed_ = std::make_unique<CountingFeed>(
        schema_, view_, batch_size, [size](PartitionId) { return size; },
        [](PartitionId, Position at) { return Key{at}; });
  }

  PartitionRun& Start(Partition::Kind kind, uint32_t pull_ahead = 0) {
    context_ = std::make_unique<RunContext>(RunContext{.rpc = *rpc_,
                                                       .schema = schema_,
                                                       .lanes = peers_,
                                                       .feed = *feed_,
                                                       .computer = computer_,
                                                       .dense = *dense_,
                                                       .step_clock = step_clock_,
                                                       .seed = 1,
                                                       .pull_ahead_steps = pull_ahead});
    run_ = std::make_unique<PartitionRun>(
        *context_, HeldLease{.partition = 3, .epoch = 9, .kind = kind}, 100, next_step_, recorder_);
    return *run_;
  }

  void RunToTheEnd() {
    for (int i = 0; i < 1000 && !run_->done(); ++i) {
      while (run_->Advance()) {
      }
      for (const std::unique_ptr<ScriptedLane>& lane : lanes_) {
        lane->Poll();
      }
      rpc_->Poll(Duration::zero());
    }
  }

  FakeClock clock_;
  MemoryTransport transport_{clock_};
  ParameterSchema schema_;
  ClusterView view_;
  std::vector<std::unique_ptr<ScriptedLane>> lanes_;
  std::vector<PeerId> peers_;
  std::unique_ptr<Endpoint> endpoint_;
  std::unique_ptr<RpcNode> rpc_;
  std::unique_ptr<DenseMirror> dense_;
  std::unique_ptr<CountingFeed> feed_;
  OnesComputer computer_;
  StepClock step_clock_{clock_};
  BatchRecorder recorder_;
  std::unique_ptr<RunContext> context_;
  std::unique_ptr<PartitionRun> run_;
  uint64_t next_step_ = 1;
};

TEST_F(PartitionRunTest, PushesEveryBatchToEveryLaneInOrder) {
  MakeFeed(10, 4);
  PartitionRun& run = Start(Partition::TRAIN);

  RunToTheEnd();

  ASSERT_TRUE(run.done());
  EXPECT_TRUE(run.status().ok()) << run.status();
  EXPECT_EQ(run.position(), 10);
  EXPECT_EQ(run.tick(), 103);
  for (const std::unique_ptr<ScriptedLane>& lane : lanes_) {
    ASSERT_EQ(lane->pushes_.size(), 3);
    EXPECT_EQ(lane->pushes_[0].begin(), 0);
    EXPECT_EQ(lane->pushes_[1].begin(), 4);
    EXPECT_EQ(lane->pushes_[2].begin(), 8);
    EXPECT_EQ(lane->pushes_[2].end(), 10);
    EXPECT_EQ(lane->pushes_[2].lease_epoch(), 9);
  }
  EXPECT_EQ(feed_->recycled, 3);
}

TEST_F(PartitionRunTest, ReadsInBspOnlyAfterItsOwnPush) {
  MakeFeed(8, 4);
  Start(Partition::TRAIN);

  RunToTheEnd();

  EXPECT_THAT(lanes_[0]->asked_, ElementsAre(METHOD_OPEN_PARTITION, METHOD_PULL, METHOD_PUSH,
                                             METHOD_PULL, METHOD_PUSH));
  EXPECT_EQ(lanes_[0]->pulls_[0].tick(), 100);
  EXPECT_EQ(lanes_[0]->pulls_[1].tick(), 101);
}

TEST_F(PartitionRunTest, PullsAheadWhenToldTo) {
  MakeFeed(12, 4);
  Start(Partition::TRAIN, 1);

  RunToTheEnd();

  EXPECT_THAT(lanes_[0]->asked_, ElementsAre(METHOD_OPEN_PARTITION, METHOD_PULL, METHOD_PULL,
                                             METHOD_PUSH, METHOD_PULL, METHOD_PUSH, METHOD_PUSH));
}

TEST_F(PartitionRunTest, StartsAtTheSlowestLaneAndCutsWhereOthersStand) {
  MakeFeed(20, 8);
  lanes_[0]->positions_ = {3};
  lanes_[1]->positions_ = {5, 11};
  PartitionRun& run = Start(Partition::TRAIN);

  RunToTheEnd();

  EXPECT_THAT(recorder_.batches_, ElementsAre(std::pair(3, 5), std::pair(5, 8), std::pair(8, 11),
                                              std::pair(11, 16), std::pair(16, 20)));
  EXPECT_EQ(run.position(), 20);
}

TEST_F(PartitionRunTest, SendsAPushAgainThatOvertookItsPredecessor) {
  MakeFeed(8, 4);
  lanes_[1]->refusals_.push_back(
      {METHOD_PUSH, Status(StatusCode::kPositionGap, "applied through 0")});
  PartitionRun& run = Start(Partition::TRAIN);

  RunToTheEnd();

  EXPECT_TRUE(run.status().ok()) << run.status();
  ASSERT_EQ(lanes_[1]->pushes_.size(), 2);
  EXPECT_EQ(run.position(), 8);
}

TEST_F(PartitionRunTest, EndsWhenItsLeaseIsFenced) {
  MakeFeed(8, 4);
  lanes_[0]->refusals_.push_back({METHOD_PUSH, StaleEpochError("partition 3 is leased anew")});
  PartitionRun& run = Start(Partition::TRAIN);

  RunToTheEnd();

  EXPECT_TRUE(run.done());
  EXPECT_EQ(run.status().code(), StatusCode::kStaleEpoch);
}

TEST_F(PartitionRunTest, EndsWithTheReadersError) {
  MakeFeed(8, 4);
  feed_->broken_at = 4;
  PartitionRun& run = Start(Partition::TRAIN);

  RunToTheEnd();

  EXPECT_THAT(run.status().message(), HasSubstr("train.csv: truncated"));
}

TEST_F(PartitionRunTest, RefusesAReplyWithTooFewRows) {
  MakeFeed(4, 4);
  lanes_[0]->missing_row_bytes_ = sizeof(float);
  PartitionRun& run = Start(Partition::TRAIN);

  RunToTheEnd();

  EXPECT_EQ(run.status().code(), StatusCode::kDataLoss);
}

TEST_F(PartitionRunTest, EvaluatesWithoutOpeningOrPushing) {
  MakeFeed(10, 4);
  PartitionRun& run = Start(Partition::EVAL);

  RunToTheEnd();

  EXPECT_TRUE(run.status().ok()) << run.status();
  EXPECT_EQ(run.position(), 10);
  EXPECT_EQ(computer_.scored_, 3);
  EXPECT_THAT(lanes_[0]->asked_, ElementsAre(METHOD_PULL, METHOD_PULL, METHOD_PULL));
  EXPECT_EQ(lanes_[0]->pulls_[0].purpose(), PURPOSE_EVAL);
  EXPECT_EQ(run.tick(), 100);
}

TEST_F(PartitionRunTest, SeedsABatchByItsPlaceInTheStream) {
  MakeFeed(8, 4);
  Start(Partition::TRAIN);
  RunToTheEnd();
  const std::vector<uint64_t> first = computer_.seeds_;

  computer_.seeds_.clear();
  for (const std::unique_ptr<ScriptedLane>& lane : lanes_) {
    lane->positions_ = {4};
  }
  Start(Partition::TRAIN);
  RunToTheEnd();

  ASSERT_EQ(first.size(), 2);
  EXPECT_NE(first[0], first[1]);
  EXPECT_THAT(computer_.seeds_, ElementsAre(first[1]));
}

}  // namespace
}  // namespace antiphon
