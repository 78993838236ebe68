#include "worker/step_metrics.h"

#include <gtest/gtest.h>

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

TEST(StepMetricsTest, CountsEachTaskInEachScene) {
  StepMetrics metrics(TwoTasksTwoScenes());
  Batch batch;
  batch.rows = 3;
  batch.begin = 10;
  batch.end = 14;  // one of them was bad
  batch.scene = {0, 1, 0};
  batch.labels = {{1, 0, 0}, {kUnknownLabel, 1, 0}};
  StepOutput output;
  output.logits = {{2, -1, 0}, {0, 1, -1}};

  metrics.StartRun(Partition::TRAIN);
  metrics.OnStep(batch, output);
  MetricsDelta delta;
  metrics.TakeDelta(delta);

  EXPECT_EQ(delta.samples(), 4);
  ASSERT_EQ(delta.tasks_size(), 4);
  EXPECT_EQ(delta.tasks(0).task(), 0);
  EXPECT_EQ(delta.tasks(0).scene(), 0);
  EXPECT_EQ(delta.tasks(0).count(), 2);
  EXPECT_EQ(delta.tasks(0).positives(), 1);
  EXPECT_EQ(delta.tasks(2).task(), 1);
  EXPECT_EQ(delta.tasks(2).count(), 1);
}

TEST(StepMetricsTest, ForgetsWhatWasTaken) {
  StepMetrics metrics(TwoTasksTwoScenes());
  Batch batch;
  batch.rows = 1;
  batch.end = 1;
  batch.scene = {0};
  batch.labels = {{1}, {0}};
  StepOutput output;
  output.logits = {{2}, {0}};
  metrics.OnStep(batch, output);
  MetricsDelta first;
  metrics.TakeDelta(first);

  MetricsDelta second;
  metrics.TakeDelta(second);

  EXPECT_EQ(second.tasks_size(), 0);
  EXPECT_EQ(second.samples(), 0);
}

TEST(StepMetricsTest, ForgetsAnEvaluationThatCameToNothing) {
  StepMetrics metrics(TwoTasksTwoScenes());
  Batch batch;
  batch.rows = 1;
  batch.end = 1;
  batch.scene = {0};
  batch.labels = {{1}, {0}};
  StepOutput output;
  output.logits = {{2}, {0}};
  metrics.StartRun(Partition::EVAL);
  metrics.OnStep(batch, output);

  metrics.StartRun(Partition::EVAL);
  MetricsDelta delta;
  metrics.TakeDelta(delta);

  EXPECT_EQ(delta.tasks_size(), 0);
}

}  // namespace
}  // namespace antiphon
