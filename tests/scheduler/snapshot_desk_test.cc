// The snapshots of a running job, by its clock: SnapshotSchedule alone, and the desk in a
// scheduler.

#include "scheduler/snapshot_desk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/ckpt/snapshot_manifest.h"
#include "common/ckpt/snapshot_retention.h"
#include "tests/scheduler/scheduler_cluster.h"

namespace antiphon {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

SnapshotLink Link(SnapshotManifest::Kind kind, uint64_t version) {
  SnapshotLink link;
  link.manifest.set_kind(kind);
  link.manifest.set_version(version);
  return link;
}

TEST(SnapshotScheduleTest, IsDueByTimeOrBySamples) {
  SnapshotPolicy policy;
  policy.set_every_seconds(30);
  policy.set_every_samples(1000);
  SnapshotSchedule schedule;
  const Time start;
  schedule.Begin(policy, start, 500);

  EXPECT_FALSE(schedule.Due(start + seconds(29), 1499));
  EXPECT_TRUE(schedule.Due(start + seconds(30), 500));
  EXPECT_TRUE(schedule.Due(start, 1500));
  schedule.Began(start + seconds(30), 1600);
  EXPECT_FALSE(schedule.Due(start + seconds(59), 2599));
  EXPECT_TRUE(schedule.Due(start + seconds(60), 1600));
}

TEST(SnapshotScheduleTest, IsNeverDueWithoutAPolicy) {
  SnapshotSchedule schedule;
  schedule.Begin({}, Time(), 0);

  EXPECT_FALSE(schedule.Due(Time() + std::chrono::hours(1000), 1'000'000'000));
}

TEST(SnapshotScheduleTest, PutsDeltasBetweenFullOnesAndAFullOneBehindAFailure) {
  SnapshotPolicy policy;
  policy.set_deltas_between_full(2);
  SnapshotSchedule schedule;
  schedule.Begin(policy, Time(), 0);

  EXPECT_EQ(schedule.predecessor(), nullptr);
  schedule.Committed(Link(SnapshotManifest::FULL, 1));
  ASSERT_NE(schedule.predecessor(), nullptr);
  EXPECT_EQ(schedule.predecessor()->manifest.version(), 1U);
  schedule.Committed(Link(SnapshotManifest::DELTA, 2));
  EXPECT_EQ(schedule.predecessor()->manifest.version(), 2U);
  schedule.Committed(Link(SnapshotManifest::DELTA, 3));
  EXPECT_EQ(schedule.predecessor(), nullptr) << "two deltas are enough";
  schedule.Committed(Link(SnapshotManifest::FULL, 4));
  schedule.Failed();
  EXPECT_EQ(schedule.predecessor(), nullptr);
}

class SnapshotDeskTest : public ::testing::Test {
 protected:
  SnapshotDeskTest() : cluster_(Options()) {
    plan_.mutable_snapshot()->set_every_seconds(10);
    plan_.mutable_snapshot()->set_deltas_between_full(2);
    plan_.mutable_snapshot()->set_keep(2);
  }

  static SchedulerOptions Options() {
    SchedulerOptions options;
    options.snapshot_dir = "/snapshots";
    return options;
  }

  void Build() {
    ASSERT_TRUE(cluster_.Start().ok());
    cluster_.Build(plan_);
  }

  std::vector<uint64_t> Versions() {
    std::vector<uint64_t> versions;
    const auto all = ListSnapshots(cluster_.fs(), "/snapshots");
    for (const FoundSnapshot& found : *all) {
      versions.push_back(found.version);
    }
    return versions;
  }

  TrainingPlan plan_ = SmallPlan();
  SchedulerCluster cluster_;
};

TEST_F(SnapshotDeskTest, MakesChainsByTheClockAndKeepsTheLast) {
  Build();

  cluster_.Run(milliseconds(31'000));

  EXPECT_THAT(Versions(), ElementsAre(1, 2, 3));
  const SnapshotManifest third = ReadManifest(cluster_.fs(), "/snapshots/snapshot-3").value();
  EXPECT_EQ(third.kind(), SnapshotManifest::DELTA);
  EXPECT_EQ(third.base_version(), 1U);
  EXPECT_EQ(third.predecessor_version(), 2U);
  EXPECT_EQ(cluster_.lane(0).last_write().delta_since(), 2U);
  EXPECT_EQ(ReadChain(cluster_.fs(), "/snapshots/snapshot-3")->size(), 3U);

  cluster_.Run(seconds(10));
  EXPECT_FALSE(cluster_.lane(0).last_write().has_delta_since()) << "the fourth is full";
  cluster_.Run(seconds(40));

  EXPECT_THAT(Versions(), ElementsAre(4, 5, 6, 7, 8)) << "two chains";
  EXPECT_EQ(cluster_.scheduler().status().last_snapshot(), "/snapshots/snapshot-8");
}

TEST_F(SnapshotDeskTest, JudgesByTheConditionsOfTheJob) {
  Promotion& gate = *plan_.add_promotion();
  gate.set_tower_name(plan_.tasks(0));
  gate.set_min_auc(0.6);
  gate.set_min_samples(10);
  Build();

  cluster_.Run(milliseconds(11'000));

  const SnapshotManifest first = ReadManifest(cluster_.fs(), "/snapshots/snapshot-1").value();
  EXPECT_TRUE(first.has_promoted());
  EXPECT_FALSE(first.promoted());
  EXPECT_THAT(first.not_met(), ElementsAre(plan_.tasks(0) + ": 0 samples, expected at least 10"));
}

TEST_F(SnapshotDeskTest, GivesNoVerdictWithoutConditions) {
  Build();

  cluster_.Run(milliseconds(11'000));

  EXPECT_FALSE(ReadManifest(cluster_.fs(), "/snapshots/snapshot-1")->has_promoted());
}

TEST_F(SnapshotDeskTest, GoesOnAfterAFailureWithAFullOneAndSaysSinceWhen) {
  Build();
  cluster_.Run(milliseconds(11'000));
  cluster_.lane(1).FailWith(METHOD_WRITE_SNAPSHOT,
                            ResourceExhaustedError("cannot write /x: No space left on device"));

  cluster_.Run(seconds(20));

  const ClusterStatus failing = cluster_.scheduler().status();
  EXPECT_EQ(failing.state(), JOB_RUNNING);
  EXPECT_EQ(failing.snapshots_failed(), 2U);
  EXPECT_THAT(failing.snapshot_failure(), HasSubstr("cannot write /x: No space left on device"));
  EXPECT_GT(failing.snapshots_fail_since_seconds(), failing.last_snapshot_seconds());
  EXPECT_EQ(failing.last_snapshot(), "/snapshots/snapshot-1");
  EXPECT_THAT(Versions(), ElementsAre(1, 2, 3));

  cluster_.lane(1).FailNoMore(METHOD_WRITE_SNAPSHOT);
  cluster_.Run(seconds(10));

  EXPECT_FALSE(cluster_.lane(1).last_write().has_delta_since());
  EXPECT_EQ(cluster_.scheduler().status().snapshots_failed(), 0U);
  EXPECT_THAT(Versions(), ElementsAre(1, 4)) << "what failed is swept";
}

TEST_F(SnapshotDeskTest, RefusesAPolicyWithoutAFolder) {
  SchedulerCluster cluster;
  ASSERT_TRUE(cluster.Start().ok());
  cluster.Build(plan_);
  cluster.Run(milliseconds(100));

  EXPECT_EQ(cluster.scheduler().state(), JOB_FAILED);
  EXPECT_THAT(cluster.scheduler().result().message(), HasSubstr("--snapshot_dir"));
}

}  // namespace
}  // namespace antiphon
