// Servers that join and leave a running job: what the scheduler says to lanes, and what it does
// when somebody dies meanwhile.
#include <algorithm>
#include <chrono>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/scheduler/scheduler_cluster.h"

namespace antiphon {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr Incarnation kControl = 900;
constexpr Incarnation kFirst = SchedulerCluster::kServer;
constexpr Incarnation kThird = SchedulerCluster::kServer + 2;

class ShardMoveTest : public ::testing::Test {
 protected:
  static SchedulerOptions Options() {
    SchedulerOptions options;
    options.journal_path = "/journal";
    options.snapshot_dir = "/snapshots";
    return options;
  }
  ShardMoveTest() : cluster_(Options()) {
    EXPECT_TRUE(cluster_.Start().ok());
    cluster_.Build();
  }

  // Server 2 comes and has a slot once the others have spoken.
  void Join() {
    EXPECT_EQ(cluster_.RegisterServer(2).status().code(), StatusCode::kUnavailable);
    cluster_.Run(milliseconds(600));
    RegisterRequest request;
    request.set_role(ROLE_SERVER);
    request.add_lane_addresses("mem://lane2");
    const auto joined = cluster_.Ask<RegisterReply>(kThird, METHOD_REGISTER, request);
    ASSERT_TRUE(joined.ok()) << joined.status();
    EXPECT_EQ(joined->node(), 2u);
  }

  Status Drain(Role role, uint32_t node) {
    DrainRequest request;
    request.set_role(role);
    request.set_node(node);
    return cluster_.Ask<DrainReply>(kControl, METHOD_DRAIN, request).status();
  }

  MoveStatus LastMove() {
    const ClusterStatus status = cluster_.scheduler().status();
    return status.moves_size() == 0 ? MoveStatus() : *status.moves().rbegin();
  }

  void RunUntilPhase(const std::string& phase) {
    for (int i = 0; i < 1000 && LastMove().phase() != phase; ++i) {
      cluster_.Run(milliseconds(10));
    }
    ASSERT_EQ(LastMove().phase(), phase);
  }

  ClusterView View() { return cluster_.scheduler().status().view(); }
  static int ShardsOn(const ClusterView& view, LaneId lane) {
    return static_cast<int>(std::ranges::count(view.lane_of_shard(), lane));
  }

  SchedulerCluster cluster_;
};

TEST_F(ShardMoveTest, AServerThatJoinsGetsItsShareOfTheShards) {
  Join();
  const ClusterView before = View();
  cluster_.Run(seconds(2));

  const ClusterView view = View();
  EXPECT_EQ(LastMove().phase(), "done");
  EXPECT_EQ(LastMove().reason(), "server 2 joined");
  EXPECT_EQ(LastMove().shards(), 2u);
  EXPECT_EQ(LastMove().rows(), 10u);
  EXPECT_GT(LastMove().serving_after(), LastMove().closed_after());
  ASSERT_EQ(view.lanes_size(), 3);
  EXPECT_EQ(ShardsOn(view, 2), 2);
  int moved = 0;
  for (int shard = 0; shard < 8; ++shard) {
    moved += view.lane_of_shard(shard) == before.lane_of_shard(shard) ? 0 : 1;
  }
  EXPECT_EQ(moved, 2) << "no shard moves for nothing";
  for (size_t lane = 0; lane < 3; ++lane) {
    EXPECT_EQ(cluster_.lane(lane).configured().view().epoch(), view.epoch());
  }
}

TEST_F(ShardMoveTest, LanesReadDeltasAndTheLastOneWhileTheyAreClosed) {
  Join();
  RunUntilPhase("closed, reads the last delta");

  EXPECT_EQ(cluster_.lane(2).adopted().from().deltas_size(), 1);
  EXPECT_EQ(cluster_.lane(2).adopted().shards_size(), 2);
  EXPECT_EQ(cluster_.lane(0).requests(METHOD_ADOPT), 0);
  EXPECT_EQ(cluster_.lane(2).requests(METHOD_WRITE_SNAPSHOT), 0) << "it has nothing yet";
  const auto lease = cluster_.LeaseTo(1);
  ASSERT_TRUE(lease.ok());
  EXPECT_EQ(lease->action(), LeaseReply::WAIT);
}

TEST_F(ShardMoveTest, LeasesGoOnWhereTheyWere) {
  const auto lease = cluster_.LeaseTo(1);
  ASSERT_TRUE(lease.ok());
  ASSERT_TRUE(cluster_.Report(1, *lease, 40, false, 1).ok());

  Join();
  cluster_.Run(seconds(2));

  EXPECT_EQ(cluster_.scheduler().status().samples_trained(), 40u);
  EXPECT_EQ(cluster_.scheduler().status().replay_samples(), 0u);
  const auto next = cluster_.LeaseTo(1);
  ASSERT_TRUE(next.ok());
  EXPECT_EQ(next->partition(), lease->partition());
  EXPECT_GT(next->lease_epoch(), lease->lease_epoch());
}

TEST_F(ShardMoveTest, ADrainedServerGivesAllAwayAndIsToldToLeave) {
  ASSERT_TRUE(Drain(ROLE_SERVER, 0).ok());
  EXPECT_FALSE(cluster_.LastBeat(kFirst)->drain());
  cluster_.Run(seconds(2));

  EXPECT_EQ(LastMove().phase(), "done");
  EXPECT_EQ(LastMove().reason(), "server 0 is drained");
  EXPECT_EQ(LastMove().shards(), 4u);
  ASSERT_EQ(View().lanes_size(), 1);
  EXPECT_EQ(View().lanes(0).server(), 1u);
  EXPECT_TRUE(cluster_.LastBeat(kFirst)->drain());
  cluster_.Silence(kFirst);
  cluster_.Run(seconds(70));
  EXPECT_EQ(cluster_.scheduler().state(), JOB_RUNNING) << "nobody waits for it";
}

TEST_F(ShardMoveTest, RefusesToDrainTheLastServer) {
  ASSERT_TRUE(Drain(ROLE_SERVER, 0).ok());

  EXPECT_EQ(Drain(ROLE_SERVER, 1).code(), StatusCode::kFailedPrecondition);
}

TEST_F(ShardMoveTest, ADrainedWorkerIsToldToLeaveAndGetsNothing) {
  ASSERT_TRUE(Drain(ROLE_WORKER, 0).ok());
  cluster_.Run(seconds(1));

  EXPECT_TRUE(cluster_.LastBeat(1)->drain());
  EXPECT_FALSE(cluster_.LastBeat(2)->drain());
  EXPECT_EQ(cluster_.LeaseTo(1)->action(), LeaseReply::WAIT);
  EXPECT_EQ(cluster_.LeaseTo(2)->action(), LeaseReply::TRAIN);
}

TEST_F(ShardMoveTest, ANewServerThatDiesEndsTheMoveAndNothingElse) {
  Join();
  cluster_.lane(2).HoldBack(METHOD_ADOPT);
  RunUntilPhase("reads the snapshot");
  cluster_.Silence(kThird);
  cluster_.Run(seconds(4));

  EXPECT_THAT(LastMove().phase(), StartsWith("given up: server 2"));
  EXPECT_EQ(View().lanes_size(), 2);
  EXPECT_EQ(cluster_.LeaseTo(1)->action(), LeaseReply::TRAIN);
  cluster_.Run(seconds(70));
  EXPECT_EQ(cluster_.scheduler().state(), JOB_RUNNING);
  EXPECT_EQ(cluster_.scheduler().status().moves_size(), 1);
  EXPECT_GT(cluster_.lane(0).requests(METHOD_ADOPT), 0) << "told to forget";
}

TEST_F(ShardMoveTest, AMoveThatFailsIsTriedAgainLater) {
  Join();
  cluster_.lane(2).FailWith(METHOD_ADOPT, DataLossError("a bad file"));
  cluster_.Run(seconds(2));
  EXPECT_THAT(LastMove().phase(), HasSubstr("a bad file"));

  cluster_.lane(2).FailNoMore(METHOD_ADOPT);
  cluster_.Run(seconds(6));

  EXPECT_EQ(LastMove().phase(), "done");
}

TEST_F(ShardMoveTest, AMoveThatFailsWhileClosedOpensTheClusterAsItWas) {
  Join();
  RunUntilPhase("closed, waits for the last delta");
  cluster_.lane(2).FailWith(METHOD_ADOPT, DataLossError("a bad file"));
  cluster_.Run(seconds(1));

  EXPECT_THAT(LastMove().phase(), StartsWith("given up"));
  EXPECT_EQ(View().lanes_size(), 2);
  EXPECT_EQ(cluster_.LeaseTo(1)->action(), LeaseReply::TRAIN);
}

TEST_F(ShardMoveTest, AServerThatIsLostMeanwhileIsReplacedByTheOneThatJoined) {
  Join();
  cluster_.lane(2).HoldBack(METHOD_ADOPT);
  RunUntilPhase("reads the snapshot");
  cluster_.Silence(kFirst);
  cluster_.Run(seconds(4));

  const ClusterStatus status = cluster_.scheduler().status();
  EXPECT_THAT(LastMove().phase(), StartsWith("given up"));
  ASSERT_EQ(status.recoveries_size(), 1);
  EXPECT_TRUE(status.recoveries(0).has_serving_after());
  ASSERT_EQ(status.view().lanes_size(), 2);
  EXPECT_EQ(status.view().lanes(0).incarnation(), kThird);
  EXPECT_GT(cluster_.lane(2).requests(METHOD_RESTORE), 0);
  EXPECT_EQ(cluster_.LeaseTo(1)->action(), LeaseReply::TRAIN);
}

TEST_F(ShardMoveTest, TheNextSchedulerBeginsAMoveAnewThatWasNotDecided) {
  Join();
  cluster_.lane(2).HoldBack(METHOD_ADOPT);
  RunUntilPhase("reads the snapshot");
  cluster_.Kill();
  cluster_.lane(2).LetGo(METHOD_ADOPT);
  ASSERT_TRUE(cluster_.Start().ok());
  cluster_.Run(seconds(3));

  EXPECT_EQ(LastMove().phase(), "done");
  EXPECT_EQ(ShardsOn(View(), 2), 2);
}

TEST_F(ShardMoveTest, TheNextSchedulerOpensAClusterThatWasClosed) {
  Join();
  RunUntilPhase("closed, waits for the last delta");
  cluster_.Kill();
  cluster_.lane(2).HoldBack(METHOD_ADOPT);
  ASSERT_TRUE(cluster_.Start().ok());
  cluster_.Run(milliseconds(100));

  EXPECT_EQ(cluster_.LeaseTo(1)->action(), LeaseReply::TRAIN);
  cluster_.lane(2).LetGo(METHOD_ADOPT);
  cluster_.Run(seconds(13));
  EXPECT_EQ(ShardsOn(View(), 2), 2);
}

TEST_F(ShardMoveTest, TheNextSchedulerEndsAMoveThatWasDecided) {
  Join();
  RunUntilPhase("closed, reads the last delta");
  cluster_.lane(0).HoldBack(METHOD_CONFIGURE);
  RunUntilPhase("closed, opens the lanes with their new shards");
  const int adoptions = cluster_.lane(2).requests(METHOD_ADOPT);
  cluster_.Kill();
  cluster_.lane(0).LetGo(METHOD_CONFIGURE);
  ASSERT_TRUE(cluster_.Start().ok());
  cluster_.Run(milliseconds(100));

  EXPECT_EQ(ShardsOn(View(), 2), 2);
  EXPECT_EQ(ShardsOn(cluster_.lane(0).configured().view(), 2), 2);
  EXPECT_EQ(cluster_.lane(2).requests(METHOD_RESTORE), 0);
  EXPECT_LE(cluster_.lane(2).requests(METHOD_ADOPT), adoptions + 1) << "only told to forget";
  EXPECT_EQ(cluster_.LeaseTo(1)->action(), LeaseReply::TRAIN);
}

// What holds a move up at each of its steps, and how that step is called. Of the last one the
// lanes have to be asked a second time to take a view.
struct Step {
  Method held_back;
  size_t lane;
  const char* phase;
};

class ShardMoveStepTest : public ShardMoveTest, public ::testing::WithParamInterface<Step> {
 protected:
  // Until the move stands still at the step.
  void RunUntilStep() {
    const Step& step = GetParam();
    if (step.phase == std::string("closed, opens the lanes with their new shards")) {
      RunUntilPhase("closed, reads the last delta");
    }
    cluster_.lane(step.lane).HoldBack(step.held_back);
    RunUntilPhase(step.phase);
  }

  // Another scheduler takes over and everybody answers again.
  void Succeed() {
    cluster_.Kill();
    cluster_.lane(GetParam().lane).LetGo(GetParam().held_back);
    ASSERT_TRUE(cluster_.Start().ok());
    cluster_.Run(milliseconds(200));
    EXPECT_EQ(cluster_.LeaseTo(1)->action(), LeaseReply::TRAIN) << "it is open";
    cluster_.Run(seconds(20));
  }
};

TEST_P(ShardMoveStepTest, TheNextSchedulerOpensTheClusterAndAServerHasJoined) {
  const auto lease = cluster_.LeaseTo(1);
  ASSERT_TRUE(cluster_.Report(1, *lease, 40, false, 1).ok());
  Join();
  RunUntilStep();

  Succeed();

  ASSERT_EQ(View().lanes_size(), 3);
  EXPECT_EQ(ShardsOn(View(), 2), 2);
  EXPECT_EQ(cluster_.scheduler().status().replay_samples(), 0u) << "nothing was lost";
  EXPECT_EQ(cluster_.scheduler().status().moves(0).phase(), "left to the next scheduler");
  EXPECT_EQ(cluster_.lane(2).requests(METHOD_RESTORE), 0);
}

TEST_P(ShardMoveStepTest, TheNextSchedulerOpensTheClusterAndAServerMayLeave) {
  Join();
  cluster_.Run(seconds(2));
  ASSERT_EQ(ShardsOn(View(), 2), 2);
  ASSERT_TRUE(Drain(ROLE_SERVER, 0).ok());
  RunUntilStep();

  Succeed();

  ASSERT_EQ(View().lanes_size(), 2);
  EXPECT_EQ(View().lanes(0).server(), 1u);
  EXPECT_TRUE(cluster_.LastBeat(kFirst)->drain());
  EXPECT_EQ(cluster_.scheduler().status().replay_samples(), 0u);
}

INSTANTIATE_TEST_SUITE_P(EachStep, ShardMoveStepTest,
                         ::testing::Values(Step{METHOD_WRITE_SNAPSHOT, 0, "waits for a snapshot"},
                                           Step{METHOD_ADOPT, 2, "reads the snapshot"},
                                           Step{METHOD_CONFIGURE, 1, "closes the lanes"},
                                           Step{METHOD_CONFIGURE, 1,
                                                "closed, opens the lanes with their new shards"}));

TEST_F(ShardMoveTest, SnapshotsOfOthersWaitUntilShardsHaveMoved) {
  Join();
  cluster_.lane(2).HoldBack(METHOD_ADOPT);
  RunUntilPhase("reads the snapshot");

  const auto reply = cluster_.Ask<SnapshotReply>(kControl, METHOD_SNAPSHOT, SnapshotRequest());

  EXPECT_EQ(reply.status().code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(reply.status().message(), HasSubstr("shards are moving"));
}

}  // namespace
}  // namespace antiphon
