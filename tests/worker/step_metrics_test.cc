#include "worker/step_metrics.h"

#include <gtest/gtest.h>

#include "common/data/job_defaults.h"
#include "common/math/age_histogram.h"
#include "tests/support/fake_clock.h"

namespace antiphon {
namespace {

TrainingPlan TwoTasksTwoScenes() {
  TrainingPlan plan;
  plan.add_tasks("click");
  plan.add_tasks("gift");
  plan.add_scenes("home");
  plan.add_scenes("song");
  return plan;
}

Job TwoTowersTwoScenes() {
  Job job;
  job.mutable_data_config()->add_scenes("home");
  job.mutable_data_config()->add_scenes("song");
  job.mutable_data_config()->set_scene_field("scene");
  job.mutable_model_config()->set_model_class("LR");
  for (const char* name : {"click", "gift"}) {
    TaskTower* tower = job.mutable_model_config()->mutable_lr()->add_task_towers();
    tower->set_tower_name(name);
    tower->set_label_name(name);
  }
  FillDefaults(job);
  return job;
}

class StepMetricsTest : public ::testing::Test {
 protected:
  // One sample of each scene with the given labels.
  void Observe(float click, float gift) {
    batch_.rows = 2;
    batch_.end = 2;
    batch_.scene = {0, 1};
    batch_.labels = {{click, click}, {gift, gift}};
    targets_.Fill(batch_);
    StepOutput output;
    output.logits = {{2, -1}, {0, 1}};
    metrics_.OnStep(batch_, output);
  }

  Batch batch_;
  TaskTargets targets_{TwoTowersTwoScenes()};
  FakeClock clock_;
  StepMetrics metrics_{TwoTasksTwoScenes(), targets_, clock_};
};

TEST_F(StepMetricsTest, CountsEachTaskInEachScene) {
  metrics_.StartRun(Partition::TRAIN);
  Observe(1, kUnknownLabel);
  Observe(0, 1);
  MetricsDelta delta;
  metrics_.TakeDelta(delta);

  ASSERT_EQ(delta.tasks_size(), 4);
  EXPECT_EQ(delta.tasks(1).task(), 0);
  EXPECT_EQ(delta.tasks(1).scene(), 1);
  EXPECT_EQ(delta.tasks(1).count(), 2);
  EXPECT_EQ(delta.tasks(1).positives(), 1);
  EXPECT_EQ(delta.tasks(3).task(), 1);
  EXPECT_EQ(delta.tasks(3).count(), 1);
  EXPECT_EQ(delta.tasks(3).positives(), 1);
}

TEST(StepMetricsOfLossesTest, MeasureNumbersAndOrders) {
  Job job = TwoTowersTwoScenes();
  auto* towers = job.mutable_model_config()->mutable_lr()->mutable_task_towers();
  towers->Mutable(0)->set_loss_type(TaskTower::WEIGHTED_LOGISTIC);
  towers->Mutable(1)->set_loss_type(TaskTower::PAIRWISE);
  TaskTargets targets(job);
  FakeClock clock;
  StepMetrics metrics(TwoTasksTwoScenes(), targets, clock);
  Batch batch;
  batch.rows = 4;
  batch.scene = {0, 0, 1, 1};
  batch.request = {7, 7, 8, 8};
  batch.labels = {{1, 3, kUnknownLabel, 0}, {1, 0, 0, 1}};
  targets.Fill(batch);
  StepOutput output;
  output.logits = {{0, 0, 9, 0}, {0.5F, 0.4F, 2, 1}};
  output.task_weights = {1.5, 0.5};
  output.mean_task_weights = {1.25, 0.75};

  metrics.OnStep(batch, output);
  MetricsDelta delta;
  metrics.TakeDelta(delta);

  ASSERT_EQ(delta.tasks_size(), 4);
  EXPECT_EQ(delta.tasks(0).regression().count(), 2);
  EXPECT_DOUBLE_EQ(delta.tasks(0).regression().squared_error(), 4);  // 1 is predicted
  EXPECT_EQ(delta.tasks(1).regression().count(), 1);
  EXPECT_EQ(delta.tasks(2).pairs().in_order(), 1);
  EXPECT_EQ(delta.tasks(3).pairs().in_order(), 0);
  EXPECT_EQ(delta.tasks(3).pairs().pairs(), 1);
  ASSERT_EQ(delta.task_weights_size(), 2);
  EXPECT_EQ(delta.task_weights(1).weight(), 0.5);
  EXPECT_EQ(delta.task_weights(1).mean_weight(), 0.75);
}

TEST_F(StepMetricsTest, ForgetsWhatWasTaken) {
  Observe(1, 1);
  MetricsDelta first;
  metrics_.TakeDelta(first);

  MetricsDelta second;
  metrics_.TakeDelta(second);

  EXPECT_EQ(first.tasks_size(), 4);
  EXPECT_EQ(second.tasks_size(), 0);
}

TEST_F(StepMetricsTest, ForgetsAnEvaluationThatCameToNothing) {
  metrics_.StartRun(Partition::EVAL);
  Observe(1, 1);

  metrics_.StartRun(Partition::EVAL);
  MetricsDelta delta;
  metrics_.TakeDelta(delta);

  EXPECT_EQ(delta.tasks_size(), 0);
}

TEST_F(StepMetricsTest, KeepsUsersApartInEvaluationsOnly) {
  batch_.user = {7, 8};
  metrics_.StartRun(Partition::TRAIN);
  Observe(1, 1);
  MetricsDelta training;
  metrics_.TakeDelta(training);

  metrics_.StartRun(Partition::EVAL);
  Observe(1, 1);
  MetricsDelta evaluation;
  metrics_.TakeDelta(evaluation);

  EXPECT_EQ(training.tasks(0).users_size(), 0);
  EXPECT_EQ(evaluation.tasks(0).users_size(), 1);
}

TEST_F(StepMetricsTest, KeepsWindowsOfEventTimeApart) {
  TrainingPlan plan = TwoTasksTwoScenes();
  plan.mutable_watch()->set_window_seconds(60);
  StepMetrics metrics(plan, targets_, clock_);
  metrics.StartRun(Partition::TRAIN);
  batch_.event_time_ms = {59'999, 60'000};
  Observe(1, kUnknownLabel);
  StepOutput output;
  output.logits = {{2, -1}, {0, 1}};
  metrics.OnStep(batch_, output);
  MetricsDelta delta;
  metrics.TakeDelta(delta);

  ASSERT_EQ(delta.tasks_size(), 2);
  EXPECT_EQ(delta.tasks(0).scene(), 0u);
  EXPECT_EQ(delta.tasks(0).window(), 0);
  EXPECT_EQ(delta.tasks(1).scene(), 1u);
  EXPECT_EQ(delta.tasks(1).window(), 1);

  MetricsDelta nothing;
  metrics.TakeDelta(nothing);
  EXPECT_EQ(nothing.tasks_size(), 0);
}

TEST_F(StepMetricsTest, CountsSamplesFromTheFarFutureInNoWindow) {
  TrainingPlan plan = TwoTasksTwoScenes();
  plan.mutable_watch()->set_window_seconds(60);
  plan.mutable_watch()->set_max_ahead_seconds(100);
  StepMetrics metrics(plan, targets_, clock_);
  metrics.StartRun(Partition::TRAIN);
  const int64_t now_ms = 1000 * clock_.WallSeconds();
  batch_.event_time_ms = {now_ms + 100'000, now_ms + 100'001};
  Observe(1, kUnknownLabel);
  StepOutput output;
  output.logits = {{2, -1}, {0, 1}};
  metrics.OnStep(batch_, output);
  MetricsDelta delta;
  metrics.TakeDelta(delta);

  ASSERT_EQ(delta.tasks_size(), 2);
  EXPECT_FALSE(delta.tasks(0).has_window());
  EXPECT_EQ(delta.tasks(1).window(), (now_ms + 100'000) / 60'000);
}

TEST_F(StepMetricsTest, CountsTheAgesOfTrainedSamplesOnly) {
  const int64_t now_ms = 1000 * clock_.WallSeconds();
  batch_.event_time_ms = {now_ms - 2'000, now_ms - 100'000};
  metrics_.StartRun(Partition::TRAIN);
  Observe(1, 1);
  MetricsDelta trained;
  metrics_.TakeDelta(trained);
  metrics_.StartRun(Partition::EVAL);
  Observe(1, 1);
  MetricsDelta evaluated;
  metrics_.TakeDelta(evaluated);

  const StatusOr<AgeHistogram> ages = AgeHistogram::FromProto(trained.ages());
  ASSERT_TRUE(ages.ok()) << ages.status();
  EXPECT_EQ(ages->count(), 2u);
  EXPECT_NEAR(ages->Quantile(0.5), 2'000, 500);
  EXPECT_NEAR(ages->Quantile(0.99), 100'000, 25'000);
  EXPECT_EQ(trained.ages().newest_event_ms(), now_ms - 2'000);
  EXPECT_FALSE(evaluated.has_ages());
}

}  // namespace
}  // namespace antiphon
