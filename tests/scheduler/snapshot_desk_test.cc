// The snapshots of a running job, by its clock: SnapshotSchedule alone, and the desk in a
// scheduler.

#include "scheduler/snapshot_desk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/ckpt/snapshot_manifest.h"
#include "common/ckpt/snapshot_retention.h"
#include "common/math/age_histogram.h"
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

// A worker that reports twice a second samples that are two seconds old, between rounds ten seconds
// apart.
class SampleAgesTest : public SnapshotDeskTest {
 protected:
  static constexpr int64_t kAgeMs = 2'000;
  static constexpr uint64_t kSamples = 7;  // a report

  void BuildAndLease() {
    Build();
    lease_ = cluster_.LeaseTo(1);
    ASSERT_TRUE(lease_.ok()) << lease_.status();
  }

  void Train(seconds time) {
    const Time until = cluster_.clock().Now() + time;
    while (cluster_.clock().Now() < until) {
      MetricsDelta delta;
      AgeHistogram ages;
      ages.Add(kAgeMs, kSamples);
      ages.ToProto(*delta.mutable_ages());
      ++sequence_;
      ASSERT_TRUE(cluster_.Report(1, *lease_, 1, false, sequence_, delta).ok());
      samples_ += kSamples;
      cluster_.Run(milliseconds(500));
    }
  }

  SnapshotManifest Manifest(uint64_t version) {
    return ReadManifest(cluster_.fs(), SnapshotFolder("/snapshots", version)).value();
  }
  static AgeHistogram AgesOf(const SnapshotManifest& manifest) {
    return AgeHistogram::FromProto(manifest.sample_ages()).value();
  }

  StatusOr<LeaseReply> lease_ = LeaseReply();
  uint64_t sequence_ = 0;
  uint64_t samples_ = 0;
};

TEST_F(SampleAgesTest, ManifestsSayHowOldTheirSamplesAreAtTheCut) {
  BuildAndLease();
  Train(seconds(35));

  uint64_t told = 0;
  for (const uint64_t version : {1, 2, 3}) {
    const SnapshotManifest manifest = Manifest(version);
    const AgeHistogram ages = AgesOf(manifest);
    told += ages.count();
    // They came over ten seconds.
    EXPECT_NEAR(ages.Quantile(0.5), kAgeMs + 5'000, 1'500);
    EXPECT_NEAR(ages.Quantile(0.99), kAgeMs + 10'000, 2'000);
    EXPECT_LE(ages.Quantile(0.01), kAgeMs + 1'000);
    EXPECT_LE(manifest.cut_ms(), 1000 * manifest.created_seconds() + 999);
    EXPECT_GT(manifest.cut_ms(), 1000 * manifest.created_seconds() - 1000);
  }
  EXPECT_EQ(Manifest(3).cut_ms() - Manifest(2).cut_ms(), 10'000);
  EXPECT_LT(told, samples_);
  EXPECT_NEAR(static_cast<double>(told), 3 * 20 * kSamples, 3 * kSamples);
}

TEST_F(SampleAgesTest, WhatAFailedRoundHadIsInTheNext) {
  BuildAndLease();
  Train(seconds(11));
  const uint64_t told = AgesOf(Manifest(1)).count();
  cluster_.lane(1).FailWith(METHOD_WRITE_SNAPSHOT, ResourceExhaustedError("no space"));
  Train(seconds(10));
  cluster_.lane(1).FailNoMore(METHOD_WRITE_SNAPSHOT);
  Train(seconds(10));

  const AgeHistogram ages = AgesOf(Manifest(3));

  EXPECT_NEAR(static_cast<double>(told + ages.count()), static_cast<double>(samples_),
              4 * kSamples);
  EXPECT_NEAR(ages.Quantile(0.5), kAgeMs + 10'000, 2'500);
  EXPECT_NEAR(ages.Quantile(0.99), kAgeMs + 20'000, 4'500);
}

TEST_F(SampleAgesTest, OneThatWasAskedForElsewhereTakesNothingFromTheFoldersOwn) {
  BuildAndLease();
  Train(seconds(5));
  SnapshotRequest request;
  request.set_directory("/elsewhere");
  ASSERT_TRUE(cluster_.Ask<SnapshotReply>(9, METHOD_SNAPSHOT, request).ok());
  Train(seconds(11));

  const AgeHistogram ages = AgesOf(Manifest(1));

  EXPECT_NEAR(ages.Quantile(0.99), kAgeMs + 15'000, 3'500);
  EXPECT_GT(ages.count(), 25 * kSamples);
}

TEST_F(SampleAgesTest, SaysNothingWhereSamplesHaveNoTime) {
  Build();
  cluster_.Run(seconds(11));

  EXPECT_TRUE(Manifest(1).has_cut_ms());
  EXPECT_FALSE(Manifest(1).has_sample_ages());
}

// Whether the journal has every report or was thinned out.
class SampleAgesRestartTest : public SampleAgesTest, public ::testing::WithParamInterface<bool> {
 protected:
  SampleAgesRestartTest() {
    SchedulerOptions options = Options();
    options.journal_path = "/journal";
    options.journal_thin_bytes = GetParam() ? 1 : options.journal_thin_bytes;
    cluster_.SetOptions(options);
  }
};

TEST_P(SampleAgesRestartTest, ASchedulerThatGoesOnTellsWhatNoSnapshotHas) {
  BuildAndLease();
  Train(seconds(15));
  const uint64_t told = AgesOf(Manifest(1)).count();
  cluster_.Kill();
  ASSERT_TRUE(cluster_.Start().ok());
  Train(seconds(12));

  const AgeHistogram ages = AgesOf(Manifest(2));

  // What was reported in the second of the cut may be told twice; what came since the second round
  // is in neither.
  const auto missing = static_cast<double>(samples_) - static_cast<double>(told + ages.count());
  EXPECT_GE(missing, -2.0 * kSamples);
  EXPECT_LE(missing, 8.0 * kSamples);
  EXPECT_NEAR(ages.Quantile(0.99), kAgeMs + 15'000, 5'000);
}

INSTANTIATE_TEST_SUITE_P(, SampleAgesRestartTest, ::testing::Bool(),
                         ::testing::PrintToStringParamName());

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
