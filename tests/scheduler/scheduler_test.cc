#include "scheduler/scheduler.h"

#include <chrono>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/ckpt/snapshot_manifest.h"
#include "tests/scheduler/scheduler_cluster.h"

namespace antiphon {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

TEST(SchedulerTest, ConfiguresEveryLaneOnceServersAndPlanAreThere) {
  SchedulerCluster cluster;
  ASSERT_TRUE(cluster.Start().ok());

  cluster.Build();

  for (uint32_t lane = 0; lane < 2; ++lane) {
    const ConfigureRequest& configured = cluster.lane(lane).configured();
    EXPECT_EQ(configured.lane(), lane);
    EXPECT_EQ(configured.view().lanes_size(), 2);
    EXPECT_EQ(configured.view().lane_of_shard_size(), 8);
    EXPECT_EQ(configured.schema().tables(0).name(), "user");
    EXPECT_TRUE(configured.has_max_staleness());
  }
  const auto plan = cluster.Ask<GetPlanReply>(2, METHOD_GET_PLAN, GetPlanRequest());
  ASSERT_TRUE(plan.ok());
  EXPECT_TRUE(plan->ready());
  EXPECT_EQ(cluster.scheduler().state(), JOB_RUNNING);
}

TEST(SchedulerTest, AsksOneWorkerForThePlanAndAnotherWhenItDies) {
  SchedulerCluster cluster;
  ASSERT_TRUE(cluster.Start().ok());
  ASSERT_TRUE(cluster.RegisterWorker(1).ok());
  ASSERT_TRUE(cluster.RegisterWorker(2).ok());

  const auto first = cluster.Ask<GetPlanReply>(1, METHOD_GET_PLAN, GetPlanRequest());
  const auto second = cluster.Ask<GetPlanReply>(2, METHOD_GET_PLAN, GetPlanRequest());
  cluster.Silence(1);
  cluster.Run(seconds(4));
  const auto later = cluster.Ask<GetPlanReply>(2, METHOD_GET_PLAN, GetPlanRequest());

  ASSERT_TRUE(first.ok() && second.ok() && later.ok());
  EXPECT_TRUE(first->propose());
  EXPECT_FALSE(second->propose());
  EXPECT_TRUE(later->propose());
}

TEST(SchedulerTest, RefusesAWorkerOfAnotherJobByName) {
  SchedulerCluster cluster;
  ASSERT_TRUE(cluster.Start().ok());
  ASSERT_TRUE(cluster.RegisterWorker(3, 8).ok());
  cluster.Build();

  const auto early = cluster.Ask<GetPlanReply>(3, METHOD_GET_PLAN, GetPlanRequest());
  const auto late = cluster.RegisterWorker(4, 9);

  EXPECT_EQ(early.status().code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(early.status().message(), HasSubstr("worker 0 (pid 0) runs another job file"));
  EXPECT_EQ(late.status().code(), StatusCode::kFailedPrecondition);
}

TEST(SchedulerTest, RefusesPlansThatMakeNoSense) {
  SchedulerCluster cluster;
  ASSERT_TRUE(cluster.Start().ok());
  ASSERT_TRUE(cluster.RegisterWorker(1).ok());
  TrainingPlan backwards = SmallPlan();
  backwards.mutable_partitions(5)->set_stage(0);
  TrainingPlan no_shards = SmallPlan();
  no_shards.mutable_schema()->set_shard_count(0);

  EXPECT_THAT(cluster.Propose(1, TrainingPlan()).status().message(), HasSubstr("0 shards"));
  EXPECT_THAT(cluster.Propose(1, no_shards).status().message(), HasSubstr("0 shards"));
  EXPECT_THAT(cluster.Propose(1, backwards).status().message(),
              HasSubstr("partition 5: stage 0 comes after stage 2"));
  EXPECT_EQ(cluster
                .Ask<ProposePlanReply>(1, METHOD_PROPOSE_PLAN, ProposePlanRequest(),
                                       {Buffer::Copy("\xff\xff garbage")})
                .status()
                .code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(
      cluster.Ask<ProposePlanReply>(1, METHOD_PROPOSE_PLAN, ProposePlanRequest()).status().code(),
      StatusCode::kInvalidArgument);
  EXPECT_EQ(cluster.scheduler().state(), JOB_WAITING);
}

TEST(SchedulerTest, AnswersStrangersAndUnknownMethodsWithErrors) {
  SchedulerCluster cluster;
  ASSERT_TRUE(cluster.Start().ok());
  cluster.Build();

  EXPECT_EQ(cluster.LeaseTo(99).status().code(), StatusCode::kStaleEpoch);
  EXPECT_EQ(cluster.LeaseTo(SchedulerCluster::kServer).status().code(),
            StatusCode::kPermissionDenied);
  EXPECT_EQ(cluster.Ask<StopReply>(1, METHOD_STOP, StopRequest()).status().code(),
            StatusCode::kPermissionDenied);
  EXPECT_EQ(cluster.Ask<StopReply>(1, METHOD_PULL, StopRequest()).status().code(),
            StatusCode::kUnimplemented);
}

TEST(SchedulerTest, RunsAJobToItsEndAndReportsIt) {
  SchedulerOptions options;
  options.outputs.report_path = "/out/report.json";
  options.snapshot_dir = "/snapshots";
  SchedulerCluster cluster(options);
  ASSERT_TRUE(cluster.fs().MakeDirectories("/out").ok());
  ASSERT_TRUE(cluster.Start().ok());
  cluster.Build();

  cluster.RunLeases(1);
  cluster.Run(seconds(5));

  EXPECT_TRUE(cluster.over());
  EXPECT_TRUE(cluster.scheduler().result().ok()) << cluster.scheduler().result();
  EXPECT_EQ(cluster.scheduler().state(), JOB_FINISHED);
  const auto text = ReadWholeFile(cluster.fs(), "/out/report.json", 1 << 20);
  ASSERT_TRUE(text.ok());
  const nlohmann::json report = nlohmann::json::parse(*text);
  EXPECT_EQ(report["state"], "finished");
  EXPECT_EQ(report["samples"], 400);
  EXPECT_EQ(report["epochs"].size(), 2u);
  EXPECT_EQ(report["epochs"][0]["eval"]["click"]["samples"], 20);
  EXPECT_DOUBLE_EQ(report["eval"]["click"]["auc"].get<double>(), 1.0);
  EXPECT_EQ(report["train"]["click"]["samples"], 400);
  EXPECT_EQ(report["snapshot"], "/snapshots/snapshot-1");
  EXPECT_THAT(cluster.progress(), HasSubstr("finished: 400 samples"));
  const auto manifest = ReadManifest(cluster.fs(), "/snapshots/snapshot-1");
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_EQ(manifest->files_size(), 2);
  EXPECT_EQ(manifest->progress_size(), 6);
}

TEST(SchedulerTest, CountsAReportThatComesTwiceOnce) {
  SchedulerCluster cluster;
  ASSERT_TRUE(cluster.Start().ok());
  cluster.Build();
  const auto lease = cluster.LeaseTo(1);
  ASSERT_TRUE(lease.ok());

  ASSERT_TRUE(cluster.Report(1, *lease, 50, false, 1, ClickDelta(50, 10)).ok());
  ASSERT_TRUE(cluster.Report(1, *lease, 50, false, 1, ClickDelta(50, 10)).ok());

  const ClusterStatus status = cluster.scheduler().status();
  EXPECT_EQ(status.samples_trained(), 50u);
  ASSERT_EQ(status.metrics_size(), 1);
  EXPECT_EQ(status.metrics(0).samples(), 50);
}

TEST(SchedulerTest, ShowsPositionsOfPartitionsThatAreLeased) {
  SchedulerCluster cluster;
  ASSERT_TRUE(cluster.Start().ok());
  cluster.Build();
  ASSERT_TRUE(cluster.LeaseTo(1).ok());
  HeartbeatRequest beat;
  LaneStatus& lane = *beat.add_lanes();
  for (uint32_t partition = 0; partition < 4; ++partition) {
    PartitionPosition& position = *lane.add_positions();
    position.set_partition(partition);
    position.set_applied_through(64);
  }

  ASSERT_TRUE(cluster.Ask<HeartbeatReply>(SchedulerCluster::kServer, METHOD_HEARTBEAT, beat).ok());

  const ClusterStatus status = cluster.scheduler().status();
  ASSERT_EQ(status.nodes(0).lanes(0).positions_size(), 1);
  EXPECT_EQ(status.nodes(0).lanes(0).positions(0).partition(), 0u);
  beat.add_lanes();
  EXPECT_EQ(cluster.Ask<HeartbeatReply>(SchedulerCluster::kServer, METHOD_HEARTBEAT, beat)
                .status()
                .code(),
            StatusCode::kInvalidArgument);
}

TEST(SchedulerTest, GivesADeadWorkersPartitionAwayAndRevokesIts) {
  SchedulerCluster cluster;
  ASSERT_TRUE(cluster.Start().ok());
  cluster.Build();
  const auto first = cluster.LeaseTo(1);
  const auto second = cluster.LeaseTo(2);
  ASSERT_TRUE(first.ok() && second.ok());
  ASSERT_TRUE(cluster.Report(2, *second, 100, true, 1).ok());

  cluster.Silence(1);
  cluster.Run(seconds(4));
  const auto taken_over = cluster.LeaseTo(2);
  const auto zombie = cluster.Report(1, *first, 100, true, 1);

  ASSERT_TRUE(taken_over.ok());
  EXPECT_EQ(taken_over->partition(), first->partition());
  EXPECT_EQ(taken_over->lease_epoch(), first->lease_epoch() + 1);
  EXPECT_EQ(zombie.status().code(), StatusCode::kStaleEpoch);
  EXPECT_THAT(zombie.status().message(), HasSubstr("was declared dead"));
  EXPECT_EQ(cluster.scheduler().state(), JOB_RUNNING);
}

HeartbeatRequest Farewell(const std::string& reason) {
  HeartbeatRequest request;
  request.set_leaving(reason);
  return request;
}

TEST(SchedulerTest, GivesTheWorkOfAWorkerThatLeavesAwayAtOnce) {
  SchedulerCluster cluster;
  ASSERT_TRUE(cluster.Start().ok());
  cluster.Build();
  const auto first = cluster.LeaseTo(1, 40);
  const auto second = cluster.LeaseTo(2);
  ASSERT_TRUE(first.ok() && second.ok());
  ASSERT_TRUE(cluster.Report(2, *second, 100, true, 1).ok());

  const auto farewell = cluster.Ask<HeartbeatReply>(1, METHOD_HEARTBEAT, Farewell("told to stop"));
  cluster.Silence(1);
  const auto taken_over = cluster.LeaseTo(2);
  cluster.Run(milliseconds(50));
  const auto zombie = cluster.Report(1, *first, 100, true, 1);

  ASSERT_TRUE(farewell.ok() && taken_over.ok());
  EXPECT_EQ(taken_over->partition(), first->partition());
  ASSERT_EQ(cluster.lane(0).members().members_size(), 1);
  EXPECT_EQ(cluster.lane(0).members().members(0).incarnation(), 2u);
  EXPECT_EQ(zombie.status().code(), StatusCode::kStaleEpoch);
  EXPECT_THAT(zombie.status().message(), HasSubstr("has left (told to stop)"));
  EXPECT_EQ(cluster.scheduler().state(), JOB_RUNNING);
}

TEST(SchedulerTest, CountsAnEvaluationThatWasTakenOverOnce) {
  SchedulerCluster cluster;
  ASSERT_TRUE(cluster.Start().ok());
  cluster.Build();
  for (int i = 0; i < 2; ++i) {
    const auto lease = cluster.LeaseTo(1);
    ASSERT_TRUE(lease.ok());
    ASSERT_TRUE(cluster.Report(1, *lease, 100, true, 1 + i).ok());
  }
  const auto evaluation = cluster.LeaseTo(1);
  ASSERT_TRUE(evaluation.ok());
  ASSERT_EQ(evaluation->action(), LeaseReply::EVALUATE);
  ASSERT_TRUE(cluster.Report(1, *evaluation, 10, false, 3, ClickDelta(10, 2)).ok());

  cluster.Silence(1);
  cluster.Run(seconds(4));
  const auto again = cluster.LeaseTo(2);
  ASSERT_TRUE(again.ok());
  ASSERT_TRUE(cluster.Report(2, *again, 20, true, 1, ClickDelta(20, 5)).ok());

  const ClusterStatus status = cluster.scheduler().status();
  ASSERT_EQ(status.metrics_size(), 1);
  EXPECT_TRUE(status.metrics(0).evaluation());
  EXPECT_EQ(status.metrics(0).samples(), 20);
}

TEST(SchedulerTest, TellsLanesWhoseTicksCount) {
  SchedulerCluster cluster;
  ASSERT_TRUE(cluster.Start().ok());
  cluster.Build();

  const auto first = cluster.LeaseTo(1, 40);
  const auto second = cluster.LeaseTo(2, 0);
  cluster.Run(milliseconds(50));

  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first->tick(), 40);
  EXPECT_EQ(second->tick(), 40);
  for (size_t lane = 0; lane < 2; ++lane) {
    EXPECT_EQ(cluster.lane(lane).members().members_size(), 2);
  }
  cluster.Silence(1);
  cluster.Run(seconds(4));
  for (size_t lane = 0; lane < 2; ++lane) {
    ASSERT_EQ(cluster.lane(lane).members().members_size(), 1);
    EXPECT_EQ(cluster.lane(lane).members().members(0).incarnation(), 2u);
  }
}

TEST(SchedulerTest, FailsWhenNobodyTakesTheSlotOfADeadServerAndTellsEverybody) {
  SchedulerOptions options;
  options.server_down_timeout = seconds(10);
  SchedulerCluster cluster(options);
  ASSERT_TRUE(cluster.Start().ok());
  cluster.Build();
  ASSERT_TRUE(cluster.LeaseTo(1).ok());
  cluster.Run(seconds(1));

  cluster.Silence(SchedulerCluster::kServer + 1);
  cluster.Run(seconds(8));
  EXPECT_EQ(cluster.scheduler().state(), JOB_RUNNING);
  EXPECT_EQ(cluster.LeaseTo(2)->action(), LeaseReply::WAIT);
  cluster.Run(seconds(5));
  const auto beat = cluster.LastBeat(1);

  EXPECT_EQ(cluster.scheduler().state(), JOB_FAILED);
  ASSERT_TRUE(beat.ok());
  EXPECT_EQ(beat->state(), JOB_FAILED);
  EXPECT_THAT(beat->reason(), HasSubstr("server 1 (pid 1001, mem://lane1) is gone (no heartbeat"));
  EXPECT_THAT(beat->reason(), HasSubstr("no server took its place within 10"));
  cluster.Run(seconds(3));
  EXPECT_TRUE(cluster.over());
  EXPECT_EQ(cluster.scheduler().result().code(), StatusCode::kUnavailable);
}

TEST(SchedulerTest, BuildsTheLanesOfALostServerAloneAndRevokesEveryLease) {
  SchedulerCluster cluster;
  ASSERT_TRUE(cluster.Start().ok());
  cluster.Build();
  const auto lease = cluster.LeaseTo(1);
  ASSERT_TRUE(lease.ok());
  ASSERT_TRUE(cluster.Report(1, *lease, 60, false, 1).ok());

  ASSERT_TRUE(cluster
                  .Ask<HeartbeatReply>(SchedulerCluster::kServer + 1, METHOD_HEARTBEAT,
                                       Farewell("told to stop"))
                  .ok());
  cluster.Run(milliseconds(50));
  EXPECT_FALSE(cluster.Ask<GetPlanReply>(1, METHOD_GET_PLAN, GetPlanRequest())->ready());
  ASSERT_TRUE(cluster.RegisterServer(2).ok());
  cluster.Run(milliseconds(600));

  const auto plan = cluster.Ask<GetPlanReply>(1, METHOD_GET_PLAN, GetPlanRequest());
  ASSERT_TRUE(plan.ok() && plan->ready());
  EXPECT_EQ(plan->view().epoch(), 2u);
  EXPECT_EQ(plan->view().lanes(1).address(), "mem://lane2");
  EXPECT_EQ(cluster.LastBeat(1)->view_epoch(), 2u);
  EXPECT_EQ(cluster.lane(0).requests(METHOD_CONFIGURE), 2);  // it learns the view
  EXPECT_EQ(cluster.lane(2).requests(METHOD_CONFIGURE), 1);
  EXPECT_EQ(cluster.lane(2).configured().lane(), 1u);
  const auto late = cluster.Report(1, *lease, 100, true, 2);
  ASSERT_TRUE(late.ok());
  EXPECT_TRUE(late->revoked());
  const auto again = cluster.LeaseTo(1);
  EXPECT_EQ(again->partition(), lease->partition());
  EXPECT_GT(again->lease_epoch(), lease->lease_epoch());
  const ClusterStatus status = cluster.scheduler().status();
  EXPECT_EQ(status.replay_samples(), 60u);
  ASSERT_EQ(status.recoveries_size(), 1);
  EXPECT_EQ(status.recoveries(0).lost(), "told to stop");
  EXPECT_TRUE(status.recoveries(0).has_serving_after());
  EXPECT_FALSE(status.recoveries(0).has_relearned_after());
}

TEST(SchedulerTest, PutsALostServerBackToTheLastSnapshot) {
  SchedulerOptions options;
  options.snapshot_dir = "/snapshots";
  SchedulerCluster cluster(options);
  ASSERT_TRUE(cluster.Start().ok());
  cluster.Build();
  const auto lease = cluster.LeaseTo(1);
  ASSERT_TRUE(lease.ok());
  ASSERT_TRUE(cluster.Report(1, *lease, 60, false, 1).ok());
  ASSERT_TRUE(cluster.Ask<SnapshotReply>(900, METHOD_SNAPSHOT, SnapshotRequest()).ok());
  ASSERT_TRUE(cluster.Report(1, *lease, 100, true, 2).ok());

  RegisterRequest heir;
  heir.set_role(ROLE_SERVER);
  heir.set_replaces_pid(1001);
  ASSERT_TRUE(cluster.RegisterServer(2, heir).ok());
  cluster.Run(milliseconds(600));

  EXPECT_EQ(cluster.lane(2).restored().directory(), "/snapshots/snapshot-1");
  EXPECT_EQ(cluster.lane(0).requests(METHOD_RESTORE), 0);
  EXPECT_EQ(cluster.scheduler().status().replay_samples(), 40u);
  const auto again = cluster.LeaseTo(1);
  EXPECT_EQ(again->partition(), 0u);
  EXPECT_EQ(again->measured_through(), 0u);
  ASSERT_TRUE(cluster.Report(1, *again, 100, true, 3).ok());
  cluster.Run(milliseconds(20));
  EXPECT_EQ(cluster.scheduler().status().samples_trained(), 100u);
  EXPECT_TRUE(cluster.scheduler().status().recoveries(0).has_relearned_after());
}

TEST(SchedulerTest, GivesUpASnapshotWhoseLaneIsGone) {
  SchedulerOptions options;
  options.snapshot_dir = "/snapshots";
  SchedulerCluster cluster(options);
  ASSERT_TRUE(cluster.Start().ok());
  cluster.Build();
  cluster.lane(1).HoldBack(METHOD_WRITE_SNAPSHOT);

  cluster.Silence(SchedulerCluster::kServer + 1);
  cluster.AskLater(900, METHOD_SNAPSHOT, SnapshotRequest());
  cluster.Run(seconds(4));

  EXPECT_THAT(cluster.StatusOfAsked(900).message(), HasSubstr("a server was lost meanwhile"));
}

TEST(SchedulerTest, NamesTheLaneThatDoesNotTakeItsConfiguration) {
  SchedulerCluster cluster;
  ASSERT_TRUE(cluster.Start().ok());
  ASSERT_TRUE(cluster.RegisterServer(0).ok());
  ASSERT_TRUE(cluster.RegisterServer(1).ok());
  cluster.lane(1).FailWith(METHOD_CONFIGURE, ResourceExhaustedError("no memory"));
  ASSERT_TRUE(cluster.RegisterWorker(1).ok());
  ASSERT_TRUE(cluster.Propose(1, SmallPlan()).ok());

  cluster.Run(milliseconds(100));

  EXPECT_EQ(cluster.scheduler().state(), JOB_FAILED);
  EXPECT_EQ(cluster.scheduler().result().message(),
            "configure the lanes: lane 1 (server 1, mem://lane1): no memory");
}

TEST(SchedulerTest, WritesOneSnapshotAtATimeOnRequest) {
  SchedulerCluster cluster;
  ASSERT_TRUE(cluster.Start().ok());
  cluster.Build();
  SnapshotRequest request;

  const auto nowhere = cluster.Ask<SnapshotReply>(500, METHOD_SNAPSHOT, request);
  request.set_directory("/snapshots");
  const auto first = cluster.Ask<SnapshotReply>(500, METHOD_SNAPSHOT, request);
  const auto second = cluster.Ask<SnapshotReply>(500, METHOD_SNAPSHOT, request);

  EXPECT_EQ(nowhere.status().code(), StatusCode::kInvalidArgument);
  ASSERT_TRUE(first.ok() && second.ok()) << first.status();
  EXPECT_EQ(first->directory(), "/snapshots/snapshot-1");
  EXPECT_EQ(first->rows(), 20u);
  EXPECT_EQ(second->version(), 2u);
  EXPECT_EQ(cluster.lane(0).requests(METHOD_WRITE_SNAPSHOT), 2);
}

TEST(SchedulerTest, SaysWhyASnapshotFailedAndTrainsOn) {
  SchedulerCluster cluster;
  ASSERT_TRUE(cluster.Start().ok());
  cluster.Build();
  cluster.lane(1).FailWith(METHOD_WRITE_SNAPSHOT, ResourceExhaustedError("disk full"));
  SnapshotRequest request;
  request.set_directory("/snapshots");

  const auto reply = cluster.Ask<SnapshotReply>(500, METHOD_SNAPSHOT, request);

  EXPECT_EQ(reply.status().message(),
            "snapshot /snapshots/snapshot-1 was not completed: lane 1 (server 1, mem://lane1): "
            "disk full");
  EXPECT_EQ(ReadManifest(cluster.fs(), "/snapshots/snapshot-1").status().code(),
            StatusCode::kNotFound);
  EXPECT_EQ(cluster.scheduler().state(), JOB_RUNNING);
}

TEST(SchedulerTest, StopsWhenPsCtlAsksAndTellsEverybody) {
  SchedulerCluster cluster;
  ASSERT_TRUE(cluster.Start().ok());
  cluster.Build();

  ASSERT_TRUE(cluster.Ask<StopReply>(500, METHOD_STOP, StopRequest()).ok());
  cluster.Silence(500);
  cluster.Run(seconds(4));

  EXPECT_TRUE(cluster.over());
  EXPECT_EQ(cluster.scheduler().state(), JOB_STOPPED);
  EXPECT_EQ(cluster.scheduler().result().code(), StatusCode::kCancelled);
  ASSERT_TRUE(cluster.LastBeat(2).ok());
  EXPECT_EQ(cluster.LastBeat(2)->state(), JOB_STOPPED);
}

TEST(SchedulerTest, LingersAfterTheEndUntilStopped) {
  SchedulerOptions options;
  options.linger = true;
  SchedulerCluster cluster(options);
  ASSERT_TRUE(cluster.Start().ok());
  cluster.Build();
  cluster.RunLeases(1);
  cluster.Run(seconds(10));

  EXPECT_FALSE(cluster.over());
  EXPECT_EQ(cluster.scheduler().state(), JOB_FINISHED);
  EXPECT_EQ(cluster.LastBeat(SchedulerCluster::kServer)->state(), JOB_RUNNING);
  ASSERT_TRUE(cluster.Ask<StopReply>(500, METHOD_STOP, StopRequest()).ok());
  cluster.Run(seconds(4));

  EXPECT_TRUE(cluster.over());
  EXPECT_TRUE(cluster.scheduler().result().ok());
  EXPECT_EQ(cluster.LastBeat(SchedulerCluster::kServer)->state(), JOB_FINISHED);
}

// Leaves a snapshot that was taken in the middle of the second training partition.
void WriteHalfway(MemoryFileSystem& into) {
  SchedulerCluster cluster;
  ASSERT_TRUE(cluster.Start().ok());
  cluster.Build();
  const auto first = cluster.LeaseTo(1);
  ASSERT_TRUE(first.ok());
  ASSERT_TRUE(cluster.Report(1, *first, 100, true, 1).ok());
  const auto second = cluster.LeaseTo(1);
  ASSERT_TRUE(second.ok());
  ASSERT_TRUE(cluster.Report(1, *second, 40, false, 2).ok());
  SnapshotRequest request;
  request.set_directory("/snapshots");
  ASSERT_TRUE(cluster.Ask<SnapshotReply>(500, METHOD_SNAPSHOT, request).ok());
  const auto manifest = ReadManifest(cluster.fs(), "/snapshots/snapshot-1");
  ASSERT_TRUE(manifest.ok());
  ASSERT_TRUE(into.MakeDirectories("/snapshots/snapshot-1").ok());
  ASSERT_TRUE(WriteManifest(into, "/snapshots/snapshot-1", *manifest).ok());
}

TEST(SchedulerTest, RestoresAndGoesOnWhereTheJobStood) {
  SchedulerOptions options;
  options.restore_dir = "/snapshots";
  SchedulerCluster cluster(options);
  WriteHalfway(cluster.fs());
  ASSERT_TRUE(cluster.Start().ok());
  ASSERT_TRUE(cluster.RegisterServer(0).ok());
  ASSERT_TRUE(cluster.RegisterServer(1).ok());
  ASSERT_TRUE(cluster.RegisterWorker(1).ok());
  ASSERT_TRUE(cluster.Propose(1, SmallPlan()).ok());
  cluster.Run(milliseconds(100));

  const auto lease = cluster.LeaseTo(1);

  EXPECT_EQ(cluster.lane(0).restored().directory(), "/snapshots/snapshot-1");
  EXPECT_EQ(cluster.lane(1).restored().files_size(), 2);
  ASSERT_TRUE(lease.ok());
  EXPECT_EQ(lease->partition(), 1u);
  EXPECT_EQ(lease->lease_epoch(), 2u);
  ASSERT_TRUE(cluster.Report(1, *lease, 100, true, 1).ok());
  EXPECT_EQ(cluster.scheduler().status().samples_trained(), 60u);
}

TEST(SchedulerTest, TrainsEverythingWhenTheSnapshotsPartitionsAreOthers) {
  SchedulerOptions options;
  options.restore_dir = "/snapshots";
  SchedulerCluster cluster(options);
  WriteHalfway(cluster.fs());
  ASSERT_TRUE(cluster.Start().ok());
  TrainingPlan plan = SmallPlan();
  plan.mutable_partitions(0)->set_path("other.csv");
  cluster.Build(plan);

  const auto lease = cluster.LeaseTo(1);

  ASSERT_TRUE(lease.ok());
  EXPECT_EQ(lease->partition(), 0u);
  EXPECT_EQ(cluster.scheduler().status().samples_planned(), 400u);
}

TEST(SchedulerTest, RefusesASnapshotOfOtherTables) {
  SchedulerOptions options;
  options.restore_dir = "/snapshots";
  SchedulerCluster cluster(options);
  WriteHalfway(cluster.fs());
  ASSERT_TRUE(cluster.Start().ok());
  TrainingPlan plan = SmallPlan();
  plan.mutable_schema()->mutable_tables(0)->set_dim(8);
  cluster.Build(plan);

  EXPECT_EQ(cluster.scheduler().state(), JOB_FAILED);
  EXPECT_THAT(cluster.scheduler().result().message(),
              HasSubstr("table user's dim is 4 in the snapshot and 8 in the job"));
}

TEST(SchedulerTest, RefusesToStartWithoutTheSnapshotItShouldRestore) {
  SchedulerOptions options;
  options.restore_dir = "/nowhere";
  SchedulerCluster cluster(options);

  EXPECT_FALSE(cluster.Start().ok());
}

}  // namespace
}  // namespace antiphon
