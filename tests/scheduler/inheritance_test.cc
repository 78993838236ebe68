// A server that is lost for good: others get its shards, from the newest snapshot.
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
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr Incarnation kControl = 900;
constexpr Incarnation kLost = SchedulerCluster::kServer + 1;

class InheritanceTest : public ::testing::Test {
 protected:
  static SchedulerOptions Options() {
    SchedulerOptions options;
    options.journal_path = "/journal";
    options.snapshot_dir = "/snapshots";
    options.server_down_timeout = seconds(20);
    return options;
  }
  InheritanceTest() : cluster_(Options()) {
    EXPECT_TRUE(cluster_.Start().ok());
    cluster_.Build();
  }

  // Worker 1 reports so many samples.
  void TrainUpTo(uint64_t position) {
    const auto lease = cluster_.LeaseTo(1);
    ASSERT_TRUE(lease.ok());
    ASSERT_TRUE(cluster_.Report(1, *lease, position, false, position).ok());
  }

  void Snapshot() {
    cluster_.AskLater(kControl, METHOD_SNAPSHOT, SnapshotRequest());
    cluster_.Run(milliseconds(100));
    ASSERT_TRUE(cluster_.StatusOfAsked(kControl).ok());
  }

  void LoseServer() {
    cluster_.Silence(kLost);
    cluster_.Run(seconds(4));
    ASSERT_EQ(cluster_.LeaseTo(1)->action(), LeaseReply::WAIT);
  }

  Status Drain(uint32_t server) {
    DrainRequest request;
    request.set_role(ROLE_SERVER);
    request.set_node(server);
    return cluster_.Ask<DrainReply>(kControl, METHOD_DRAIN, request).status();
  }

  std::string Phase() {
    const ClusterStatus status = cluster_.scheduler().status();
    return status.moves_size() == 0 ? "" : status.moves().rbegin()->phase();
  }

  void RunUntilPhase(const std::string& phase) {
    for (int i = 0; i < 1000 && Phase() != phase; ++i) {
      cluster_.Run(milliseconds(10));
    }
    ASSERT_EQ(Phase(), phase);
  }

  // All shards are on the server that is left, and partition 0 goes on behind 40 samples, which is
  // where the snapshot stood.
  void ExpectInherited() {
    const ClusterStatus status = cluster_.scheduler().status();
    ASSERT_EQ(status.view().lanes_size(), 1);
    EXPECT_EQ(status.view().lanes(0).server(), 0u);
    EXPECT_EQ(cluster_.lane(0).configured().view().epoch(), status.view().epoch());
    EXPECT_EQ(cluster_.lane(0).configured().view().lane_of_shard_size(), 8);
    EXPECT_EQ(status.samples_trained(), 70u);
    EXPECT_EQ(status.replay_samples(), 30u) << "leases go back to the snapshot";
    EXPECT_EQ(cluster_.LeaseTo(1)->action(), LeaseReply::TRAIN);
  }

  SchedulerCluster cluster_;
};

TEST_F(InheritanceTest, OthersGetTheShardsOfALostServerThatIsDrained) {
  TrainUpTo(40);
  Snapshot();
  TrainUpTo(70);
  LoseServer();
  const int asked = cluster_.lane(1).requests(METHOD_CONFIGURE);

  ASSERT_TRUE(Drain(1).ok());
  cluster_.Run(seconds(1));

  ExpectInherited();
  EXPECT_EQ(Phase(), "done");
  const ClusterStatus status = cluster_.scheduler().status();
  EXPECT_EQ(status.moves(0).reason(), "server 1 is given up");
  EXPECT_EQ(status.moves(0).shards(), 4u);
  ASSERT_EQ(status.recoveries_size(), 1);
  EXPECT_TRUE(status.recoveries(0).has_serving_after());
  EXPECT_FALSE(status.recoveries(0).has_replaced_after());
  EXPECT_THAT(cluster_.lane(0).adopted().from().directory(), StartsWith("/snapshots/"));
  EXPECT_FALSE(cluster_.lane(0).adopted().from().forget_positions());
  EXPECT_EQ(cluster_.lane(0).requests(METHOD_RESTORE), 0) << "what it has it keeps";
  EXPECT_EQ(cluster_.lane(1).requests(METHOD_CONFIGURE), asked) << "nobody is there";
}

TEST_F(InheritanceTest, HappensByItselfWhenNobodyTakesThePlaceInTime) {
  TrainUpTo(40);
  Snapshot();
  TrainUpTo(70);
  LoseServer();
  EXPECT_EQ(Phase(), "");

  cluster_.Run(seconds(20));

  ExpectInherited();
  EXPECT_EQ(cluster_.scheduler().state(), JOB_RUNNING);
}

TEST_F(InheritanceTest, WithoutASnapshotShardsBeginAnewAndEverythingIsLearnedAgain) {
  TrainUpTo(70);
  LoseServer();

  ASSERT_TRUE(Drain(1).ok());
  cluster_.Run(seconds(1));

  EXPECT_EQ(Phase(), "done");
  EXPECT_FALSE(cluster_.lane(0).adopted().from().has_directory());
  EXPECT_EQ(cluster_.lane(0).adopted().shards_size(), 4);
  EXPECT_EQ(cluster_.scheduler().status().replay_samples(), 70u);
}

TEST_F(InheritanceTest, TheNextSnapshotIsAFullOne) {
  Snapshot();
  LoseServer();
  ASSERT_TRUE(Drain(1).ok());
  cluster_.Run(seconds(1));

  Snapshot();

  EXPECT_FALSE(cluster_.lane(0).last_write().has_delta_since());
}

TEST_F(InheritanceTest, OneThatComesTooLateIsANewServer) {
  Snapshot();
  LoseServer();
  cluster_.lane(0).HoldBack(METHOD_ADOPT);
  ASSERT_TRUE(Drain(1).ok());
  RunUntilPhase("closed, reads the last delta");

  EXPECT_EQ(cluster_.RegisterServer(2).status().code(), StatusCode::kUnavailable);
  cluster_.lane(0).LetGo(METHOD_ADOPT);
  cluster_.Run(seconds(11));
  RegisterRequest request;
  request.set_role(ROLE_SERVER);
  request.add_lane_addresses("mem://lane2");
  const auto joined =
      cluster_.Ask<RegisterReply>(SchedulerCluster::kServer + 2, METHOD_REGISTER, request);

  ASSERT_TRUE(joined.ok()) << joined.status();
  EXPECT_EQ(joined->node(), 2u);
  cluster_.Run(seconds(2));
  EXPECT_EQ(cluster_.scheduler().status().view().lanes_size(), 2);
}

TEST_F(InheritanceTest, AnAttemptThatFailsIsMadeAgain) {
  TrainUpTo(40);
  Snapshot();
  TrainUpTo(70);
  LoseServer();
  cluster_.lane(0).FailWith(METHOD_ADOPT, DataLossError("a bad file"));
  ASSERT_TRUE(Drain(1).ok());
  cluster_.Run(seconds(1));
  EXPECT_THAT(Phase(), HasSubstr("a bad file"));
  EXPECT_EQ(cluster_.LeaseTo(1)->action(), LeaseReply::WAIT);

  cluster_.lane(0).FailNoMore(METHOD_ADOPT);
  cluster_.Run(seconds(6));

  ExpectInherited();
}

TEST_F(InheritanceTest, NobodyInheritsFromTheLastServer) {
  LoseServer();
  ASSERT_TRUE(Drain(1).ok());
  cluster_.Run(seconds(1));

  EXPECT_EQ(Drain(0).code(), StatusCode::kFailedPrecondition);
  cluster_.Silence(SchedulerCluster::kServer);
  cluster_.Run(seconds(30));
  EXPECT_EQ(cluster_.scheduler().state(), JOB_FAILED);
}

// What holds the inheritance up at each of its steps, and how that step is called.
struct Step {
  Method held_back;
  const char* phase;
};

class InheritanceStepTest : public InheritanceTest, public ::testing::WithParamInterface<Step> {};

TEST_P(InheritanceStepTest, TheNextSchedulerBringsItToItsEnd) {
  TrainUpTo(40);
  Snapshot();
  TrainUpTo(70);
  LoseServer();
  if (GetParam().phase == std::string("closed, opens the lanes with their new shards")) {
    cluster_.lane(0).HoldBack(METHOD_ADOPT);
    ASSERT_TRUE(Drain(1).ok());
    RunUntilPhase("closed, reads the last delta");
    cluster_.lane(0).HoldBack(METHOD_CONFIGURE);
    cluster_.lane(0).LetGo(METHOD_ADOPT);
    cluster_.Run(seconds(11));
  } else {
    cluster_.lane(0).HoldBack(GetParam().held_back);
    ASSERT_TRUE(Drain(1).ok());
  }
  RunUntilPhase(GetParam().phase);

  cluster_.Kill();
  cluster_.lane(0).LetGo(METHOD_ADOPT);
  cluster_.lane(0).LetGo(METHOD_CONFIGURE);
  ASSERT_TRUE(cluster_.Start().ok());
  cluster_.Run(seconds(1));

  ExpectInherited();
}

INSTANTIATE_TEST_SUITE_P(EachStep, InheritanceStepTest,
                         ::testing::Values(Step{METHOD_CONFIGURE, "closes the lanes"},
                                           Step{METHOD_ADOPT, "closed, reads the last delta"},
                                           Step{METHOD_CONFIGURE,
                                                "closed, opens the lanes with their new shards"}));

}  // namespace
}  // namespace antiphon
