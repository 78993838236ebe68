// A running job that gets a task and a scene: what becomes of leases, reports, snapshots and
// workers, and of the extension itself when processes die on the way.
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/ckpt/snapshot_manifest.h"
#include "tests/scheduler/scheduler_cluster.h"

namespace antiphon {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr Incarnation kPsCtl = 900;

void AddBlock(const std::string& name, TrainingPlan& plan) {
  BlockSpec& block = *plan.mutable_schema()->add_blocks();
  block.set_name(name);
  block.set_rows(1);
  block.set_cols(10);
  block.mutable_optimizer()->mutable_sgd_optimizer();
  block.mutable_initializer()->mutable_uniform_initializer();
}

TrainingPlan ScenePlan() {
  TrainingPlan plan = SmallPlan();
  plan.add_scenes("home");
  plan.add_scenes("live");
  plan.mutable_schema()->mutable_tables(0)->mutable_optimizer()->mutable_sgd_optimizer();
  plan.mutable_schema()->mutable_tables(0)->mutable_initializer()->mutable_normal_initializer();
  AddBlock("public", plan);
  return plan;
}

// As ps_ctl makes it: a task in front of the one there is, a scene between the two.
TrainingPlan GrownPlan() {
  TrainingPlan plan = ScenePlan();
  plan.set_job_digest(8);
  plan.clear_tasks();
  plan.add_tasks("gift");
  plan.add_tasks("click");
  plan.clear_scenes();
  plan.add_scenes("home");
  plan.add_scenes("news");
  plan.add_scenes("live");
  plan.mutable_schema()->clear_blocks();
  AddBlock("scene.news", plan);
  AddBlock("public", plan);
  return plan;
}

MetricsDelta DeltaOf(uint32_t task, uint32_t scene, uint64_t count) {
  MetricsDelta delta = ClickDelta(count, count / 4);
  delta.mutable_tasks(0)->set_task(task);
  delta.mutable_tasks(0)->set_scene(scene);
  return delta;
}

std::vector<std::string> BlockNames(const ParameterSchema& schema) {
  std::vector<std::string> names;
  for (const BlockSpec& block : schema.blocks()) {
    names.push_back(block.name());
  }
  return names;
}

class ExtensionTest : public ::testing::Test {
 protected:
  void Begin(SchedulerOptions options = {}) {
    cluster_ = std::make_unique<SchedulerCluster>(options);
    ASSERT_TRUE(cluster_->Start().ok());
    cluster_->Build(ScenePlan());
  }

  StatusOr<ExtendReply> Extend(const TrainingPlan& plan = GrownPlan()) {
    return cluster_->Ask<ExtendReply>(kPsCtl, METHOD_EXTEND, ExtendRequest(),
                                      {Buffer::Copy(plan.SerializeAsString())});
  }

  // Samples of a task in the status, of all scenes or of one.
  int64_t SamplesOf(const std::string& task, const std::string& scene = "") {
    const ClusterStatus status = cluster_->scheduler().status();
    for (const MetricLine& line : status.metrics()) {
      if (line.task() == task && line.scene() == scene && !line.evaluation()) {
        return static_cast<int64_t>(line.samples());
      }
    }
    return 0;
  }

  std::unique_ptr<SchedulerCluster> cluster_;
};

TEST_F(ExtensionTest, LanesGetTheGrownSchemaWithALaterView) {
  Begin();

  const StatusOr<ExtendReply> reply = Extend();

  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->view_epoch(), 2u);
  for (const size_t lane : {0, 1}) {
    EXPECT_EQ(cluster_->lane(lane).configured().view().epoch(), 2u);
    EXPECT_THAT(BlockNames(cluster_->lane(lane).configured().schema()),
                ElementsAre("public", "scene.news"));
    EXPECT_EQ(cluster_->lane(lane).requests(METHOD_RESTORE), 0);
  }
  cluster_->Run(milliseconds(600));
  EXPECT_EQ(cluster_->LastBeat(1)->view_epoch(), 2u);
}

// What the worker had measured when it heard of the extension is told by the plan before, in which
// task 0 is click and scene 1 is live.
TEST_F(ExtensionTest, LeasesStayAndReportsAreReadByThePlanOfTheirView) {
  Begin();
  const auto before = cluster_->LeaseTo(1);
  ASSERT_TRUE(before.ok());
  ASSERT_TRUE(cluster_->Report(1, *before, 40, false, 1, DeltaOf(0, 1, 40)).ok());

  ASSERT_TRUE(Extend().ok());

  EXPECT_EQ(SamplesOf("click", "live"), 40);
  const auto last = cluster_->Report(1, *before, 60, false, 2, DeltaOf(0, 1, 20));
  ASSERT_TRUE(last.ok());
  EXPECT_FALSE(last->revoked());
  EXPECT_EQ(SamplesOf("click", "live"), 60);
  EXPECT_EQ(SamplesOf("click"), 60);
  const auto after = cluster_->LeaseTo(1);
  ASSERT_TRUE(after.ok());
  EXPECT_EQ(after->partition(), before->partition());
  EXPECT_EQ(after->lease_epoch(), before->lease_epoch());
  ASSERT_TRUE(cluster_->Report(1, *after, 100, true, 3, DeltaOf(1, 1, 40)).ok());
  EXPECT_EQ(SamplesOf("click", "news"), 40);
  EXPECT_EQ(SamplesOf("click", "live"), 60);
  EXPECT_EQ(SamplesOf("gift"), 0);
  EXPECT_EQ(cluster_->scheduler().status().samples_trained(), 100u);
  EXPECT_EQ(cluster_->RunLeases(1), LeaseReply::FINISHED);
}

TEST_F(ExtensionTest, RefusesReportsOfWhatTheirPlanDoesNotHave) {
  Begin();
  const auto lease = cluster_->LeaseTo(1);
  ASSERT_TRUE(Extend().ok());

  const Status task = cluster_->Report(1, *lease, 60, false, 1, DeltaOf(1, 0, 20)).status();
  const Status scene = cluster_->Report(1, *lease, 60, false, 2, DeltaOf(0, 2, 20)).status();

  EXPECT_THAT(task.message(), HasSubstr("metrics of task 1, which the plan"));
  EXPECT_THAT(scene.message(), HasSubstr("metrics of scene 2, which the plan"));
}

TEST_F(ExtensionTest, LeasesNothingToAWorkerThatGoesByTheViewBefore) {
  Begin();
  ASSERT_TRUE(cluster_->LeaseTo(1).ok());

  ASSERT_TRUE(Extend().ok());

  LeaseRequest request;
  const auto lease = cluster_->Ask<LeaseReply>(1, METHOD_LEASE, request);
  ASSERT_TRUE(lease.ok());
  EXPECT_EQ(lease->action(), LeaseReply::WAIT);
  const auto plan = cluster_->Ask<GetPlanReply>(1, METHOD_GET_PLAN, GetPlanRequest());
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->view().epoch(), 2u);
  EXPECT_EQ(cluster_->LeaseTo(1)->action(), LeaseReply::TRAIN);
}

TEST_F(ExtensionTest, WaitsForTheSnapshotThatIsWrittenAndTheNextOneIsFull) {
  Begin();
  cluster_->lane(1).HoldBack(METHOD_WRITE_SNAPSHOT);
  SnapshotRequest snapshot;
  snapshot.set_directory("/snaps");
  cluster_->AskLater(901, METHOD_SNAPSHOT, snapshot);
  cluster_->Run(milliseconds(100));

  cluster_->AskLater(kPsCtl, METHOD_EXTEND, ExtendRequest(),
                     {Buffer::Copy(GrownPlan().SerializeAsString())});
  cluster_->Run(milliseconds(100));
  EXPECT_EQ(cluster_->lane(0).configured().view().epoch(), 1u);
  EXPECT_EQ(cluster_->StatusOfAsked(kPsCtl).code(), StatusCode::kUnavailable);
  cluster_->lane(1).LetGo(METHOD_WRITE_SNAPSHOT);
  cluster_->Run(seconds(11));

  EXPECT_TRUE(cluster_->StatusOfAsked(901).ok());
  EXPECT_TRUE(cluster_->StatusOfAsked(kPsCtl).ok());
  EXPECT_EQ(cluster_->lane(0).configured().view().epoch(), 2u);
  const auto manifest = ReadManifest(cluster_->fs(), "/snaps/snapshot-1");
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_THAT(manifest->plan().tasks(), ElementsAre("click"));
  ASSERT_TRUE(cluster_->Ask<SnapshotReply>(901, METHOD_SNAPSHOT, snapshot).ok());
  EXPECT_FALSE(cluster_->lane(0).last_write().has_delta_since());
  EXPECT_THAT(ReadManifest(cluster_->fs(), "/snaps/snapshot-2")->plan().tasks(),
              ElementsAre("gift", "click"));
}

TEST_F(ExtensionTest, RefusesWhatWouldChangeTheTraining) {
  Begin();
  const auto refusal = [this](const std::function<void(TrainingPlan&)>& change) {
    TrainingPlan plan = GrownPlan();
    change(plan);
    const Status status = Extend(plan).status();
    EXPECT_FALSE(status.ok());
    return status.message();
  };

  EXPECT_THAT(refusal([](TrainingPlan& plan) { plan.mutable_tasks()->RemoveLast(); }),
              HasSubstr("task 'click' would be gone"));
  EXPECT_THAT(refusal([](TrainingPlan& plan) { plan.clear_scenes(); }),
              HasSubstr("scene 'home' would be gone"));
  EXPECT_THAT(refusal([](TrainingPlan& plan) { plan.set_max_staleness(3); }),
              HasSubstr("max_staleness: 0 -> 3"));
  EXPECT_THAT(refusal([](TrainingPlan& plan) { plan.mutable_partitions()->RemoveLast(); }),
              HasSubstr("partitions"));
  EXPECT_THAT(
      refusal([](TrainingPlan& plan) { plan.mutable_schema()->mutable_tables(0)->set_dim(5); }),
      HasSubstr("table 'user' would be another one: modified: dim: 4 -> 5"));
  EXPECT_THAT(
      refusal([](TrainingPlan& plan) { plan.mutable_schema()->mutable_blocks(1)->set_cols(5); }),
      HasSubstr("dense block 'public' would be another one"));
  EXPECT_THAT(
      refusal([](TrainingPlan& plan) { plan.mutable_schema()->mutable_blocks()->RemoveLast(); }),
      HasSubstr("dense block 'public' would be another one"));
  EXPECT_THAT(refusal([](TrainingPlan& plan) {
                plan.mutable_schema()
                    ->mutable_blocks(0)
                    ->mutable_optimizer()
                    ->mutable_rowwise_adagrad_optimizer();
              }),
              HasSubstr("dense block 'scene.news'"));
  EXPECT_THAT(refusal([](TrainingPlan& plan) { plan.mutable_schema()->set_shard_count(9); }),
              HasSubstr("shard_count: 8 -> 9"));
  EXPECT_EQ(cluster_->lane(0).configured().view().epoch(), 1u);
  EXPECT_EQ(cluster_->LeaseTo(1)->action(), LeaseReply::TRAIN);
}

TEST_F(ExtensionTest, RefusesNodesAndJobsThatDoNotTrain) {
  cluster_ = std::make_unique<SchedulerCluster>();
  ASSERT_TRUE(cluster_->Start().ok());
  EXPECT_THAT(Extend().status().message(), HasSubstr("when it trains"));
  cluster_->Build(ScenePlan());
  EXPECT_EQ(cluster_
                ->Ask<ExtendReply>(1, METHOD_EXTEND, ExtendRequest(),
                                   {Buffer::Copy(GrownPlan().SerializeAsString())})
                .status()
                .code(),
            StatusCode::kPermissionDenied);
  EXPECT_THAT(cluster_->Ask<ExtendReply>(kPsCtl, METHOD_EXTEND, ExtendRequest()).status().message(),
              HasSubstr("has 0 frames, expected 1"));
  EXPECT_EQ(cluster_->RunLeases(1), LeaseReply::FINISHED);
  EXPECT_THAT(Extend().status().message(), HasSubstr("at its end"));
}

TEST_F(ExtensionTest, TakesWorkersOfTheFilesBeforeAndNow) {
  Begin();

  ASSERT_TRUE(Extend().ok());

  EXPECT_TRUE(cluster_->RegisterWorker(3, 7).ok());
  EXPECT_TRUE(cluster_->RegisterWorker(4, 8).ok());
  EXPECT_THAT(cluster_->RegisterWorker(5, 9).status().message(),
              HasSubstr("runs another job file"));
}

TEST_F(ExtensionTest, IsMadeOnceHoweverOftenItIsAskedFor) {
  Begin();
  ASSERT_TRUE(Extend().ok());

  const auto again = Extend();

  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->view_epoch(), 2u);
  TrainingPlan more = GrownPlan();
  more.set_job_digest(9);
  more.add_tasks("like");
  AddBlock("like", more);
  ASSERT_TRUE(Extend(more).ok());
  EXPECT_THAT(BlockNames(cluster_->lane(0).configured().schema()),
              ElementsAre("public", "scene.news", "like"));
  EXPECT_TRUE(cluster_->RegisterWorker(3, 7).ok());
}

SchedulerOptions WithJournal() {
  SchedulerOptions options;
  options.journal_path = "/journal";
  return options;
}

// It has said yes to the extension and dies before the lanes know of it.
TEST_F(ExtensionTest, AnotherSchedulerGoesOnWithIt) {
  Begin(WithJournal());
  const auto before = cluster_->LeaseTo(1);
  ASSERT_TRUE(cluster_->Report(1, *before, 40, false, 1, DeltaOf(0, 1, 40)).ok());
  cluster_->lane(1).HoldBack(METHOD_CONFIGURE);
  cluster_->AskLater(kPsCtl, METHOD_EXTEND, ExtendRequest(),
                     {Buffer::Copy(GrownPlan().SerializeAsString())});
  cluster_->Run(milliseconds(100));
  ASSERT_EQ(cluster_->lane(0).configured().view().epoch(), 2u);

  cluster_->Kill();
  cluster_->lane(1).LetGo(METHOD_CONFIGURE);
  ASSERT_TRUE(cluster_->Start().ok());
  cluster_->Run(seconds(2));

  EXPECT_EQ(cluster_->lane(0).configured().view().epoch(), 3u);
  EXPECT_EQ(cluster_->lane(1).configured().view().epoch(), 3u);
  EXPECT_THAT(BlockNames(cluster_->lane(1).configured().schema()),
              ElementsAre("public", "scene.news"));
  EXPECT_TRUE(cluster_->StatusOfAsked(kPsCtl).ok()) << cluster_->StatusOfAsked(kPsCtl);
  EXPECT_EQ(SamplesOf("click", "live"), 40);
  const auto after = cluster_->LeaseTo(1);
  ASSERT_TRUE(after.ok());
  ASSERT_TRUE(cluster_->Report(1, *after, 100, true, 3, DeltaOf(1, 1, 60)).ok());
  EXPECT_EQ(SamplesOf("click", "news"), 60);
}

// All of it was done, with reports of before and after in the journal.
TEST_F(ExtensionTest, AnotherSchedulerReadsReportsByThePlanOfTheirTime) {
  Begin(WithJournal());
  const auto before = cluster_->LeaseTo(1);
  ASSERT_TRUE(cluster_->Report(1, *before, 40, false, 1, DeltaOf(0, 1, 40)).ok());
  ASSERT_TRUE(Extend().ok());
  const auto after = cluster_->LeaseTo(1);
  ASSERT_TRUE(cluster_->Report(1, *after, 60, false, 2, DeltaOf(1, 1, 20)).ok());
  const int configured = cluster_->lane(0).requests(METHOD_CONFIGURE);

  cluster_->Kill();
  ASSERT_TRUE(cluster_->Start().ok());
  cluster_->Run(seconds(1));

  EXPECT_EQ(cluster_->lane(0).requests(METHOD_CONFIGURE), configured);
  EXPECT_EQ(SamplesOf("click", "live"), 40);
  EXPECT_EQ(SamplesOf("click", "news"), 20);
  EXPECT_EQ(cluster_->scheduler().status().samples_trained(), 60u);
  const auto again = cluster_->LeaseTo(1);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->lease_epoch(), after->lease_epoch());
}

// The lanes of the new server begin with the grown schema, from nothing; the others keep theirs.
TEST_F(ExtensionTest, AServerThatIsLostMeanwhileIsBuiltWithThePlanAsItShallBe) {
  Begin();
  const auto before = cluster_->LeaseTo(1);
  ASSERT_TRUE(cluster_->Report(1, *before, 40, false, 1, DeltaOf(0, 1, 40)).ok());
  cluster_->lane(0).HoldBack(METHOD_CONFIGURE);
  cluster_->AskLater(kPsCtl, METHOD_EXTEND, ExtendRequest(),
                     {Buffer::Copy(GrownPlan().SerializeAsString())});
  cluster_->Run(milliseconds(100));
  cluster_->Silence(SchedulerCluster::kServer);
  cluster_->Run(seconds(4));

  ASSERT_TRUE(cluster_->RegisterServer(2).ok());
  cluster_->Run(milliseconds(600));

  EXPECT_THAT(BlockNames(cluster_->lane(2).configured().schema()),
              ElementsAre("public", "scene.news"));
  EXPECT_EQ(cluster_->lane(1).configured().view().epoch(),
            cluster_->lane(2).configured().view().epoch());
  EXPECT_TRUE(cluster_->StatusOfAsked(kPsCtl).ok()) << cluster_->StatusOfAsked(kPsCtl);
  EXPECT_EQ(cluster_->scheduler().status().replay_samples(), 40u);
  EXPECT_EQ(SamplesOf("click", "live"), 40);
  EXPECT_EQ(cluster_->RunLeases(1), LeaseReply::FINISHED);
}

}  // namespace
}  // namespace antiphon
