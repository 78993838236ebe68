#include "scheduler/metrics_board.h"

#include <cmath>
#include <memory>

#include <gtest/gtest.h>

namespace antiphon {
namespace {

std::shared_ptr<const TrainingPlan> TwoTasksTwoScenes() {
  auto plan = std::make_shared<TrainingPlan>();
  plan->add_tasks("click");
  plan->add_tasks("gift");
  plan->add_scenes("home");
  plan->add_scenes("live");
  return plan;
}

// `count` samples of one task in one scene, every other one positive and ranked above the rest.
MetricsDelta Delta(uint32_t task, uint32_t scene, uint64_t count) {
  MetricsDelta delta;
  delta.set_samples(count);
  RankingMetrics metrics;
  for (uint64_t i = 0; i < count; ++i) {
    metrics.Add(i % 2 == 0 ? 1.0F : -1.0F, i % 2 == 0);
  }
  TaskMetrics& part = *delta.add_tasks();
  part.set_task(task);
  part.set_scene(scene);
  metrics.ToProto(part);
  return delta;
}

TEST(MetricsBoardTest, AddsUpTasksAndScenes) {
  MetricsBoard board(TwoTasksTwoScenes());

  ASSERT_TRUE(board.AddTraining(Delta(0, 0, 10)).ok());
  ASSERT_TRUE(board.AddTraining(Delta(0, 1, 6)).ok());
  const std::vector<TaskSummary> tasks = board.Training();

  ASSERT_EQ(tasks.size(), 2u);
  EXPECT_EQ(tasks[0].all.samples, 16u);
  EXPECT_EQ(tasks[0].scenes[0].samples, 10u);
  EXPECT_EQ(tasks[0].scenes[1].samples, 6u);
  EXPECT_DOUBLE_EQ(tasks[0].all.auc, 1.0);
  EXPECT_EQ(tasks[1].all.samples, 0u);
  EXPECT_TRUE(std::isnan(tasks[1].all.auc));
}

TEST(MetricsBoardTest, KeepsTheNewestWeightsOfTasks) {
  MetricsBoard board(TwoTasksTwoScenes());
  EXPECT_TRUE(board.task_weights().empty());
  MetricsDelta delta;
  for (const double weight : {1.0, 0.4}) {
    delta.Clear();
    for (uint32_t task = 0; task < 2; ++task) {
      TaskWeight& out = *delta.add_task_weights();
      out.set_task(task);
      out.set_weight(task == 0 ? 2 - weight : weight);
    }
    ASSERT_TRUE(board.AddTraining(delta).ok());
  }

  ASSERT_EQ(board.task_weights().size(), 2U);
  EXPECT_DOUBLE_EQ(board.task_weights()[0].weight, 1.6);
  EXPECT_DOUBLE_EQ(board.task_weights()[1].weight, 0.4);
  EXPECT_TRUE(std::isnan(board.task_weights()[0].mean));

  delta.mutable_task_weights(0)->set_task(2);
  EXPECT_EQ(board.AddTraining(delta).code(), StatusCode::kInvalidArgument);
}

TEST(MetricsBoardTest, MeasuresNumbersAndOrders) {
  MetricsBoard board(TwoTasksTwoScenes());
  MetricsDelta delta;
  TaskMetrics& part = *delta.add_tasks();
  part.set_task(0);
  part.set_scene(0);
  RegressionMetrics number;
  number.Add(3, 1);
  number.ToProto(*part.mutable_regression());

  ASSERT_TRUE(board.AddTraining(delta).ok());

  const MetricSummary all = board.Training()[0].all;
  EXPECT_EQ(all.samples, 1U);
  EXPECT_DOUBLE_EQ(all.mse, 4);
  EXPECT_DOUBLE_EQ(all.mae, 2);
  EXPECT_DOUBLE_EQ(all.pcoc, 3);
  EXPECT_TRUE(std::isnan(all.auc));
  EXPECT_TRUE(std::isnan(all.pair_accuracy));
}

TEST(MetricsBoardTest, RefusesWhatThePlanDoesNotHave) {
  MetricsBoard board(TwoTasksTwoScenes());
  MetricsDelta contradictory = Delta(0, 0, 4);
  contradictory.mutable_tasks(0)->add_bucket(1U << 30);

  EXPECT_EQ(board.AddTraining(Delta(2, 0, 1)).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(board.AddTraining(Delta(0, 2, 1)).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(board.AddTraining(contradictory).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(board.Training()[0].all.samples, 0u);
}

TEST(MetricsBoardTest, ForgetsOldSamplesInItsWindow) {
  MetricsBoard board(TwoTasksTwoScenes());
  const uint64_t half = MetricsBoard::window_samples() / 2;

  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(board.AddTraining(Delta(0, 0, half)).ok());
  }

  EXPECT_EQ(board.Training()[0].all.samples, 20 * half);
  EXPECT_GE(board.Recent()[0].all.samples, MetricsBoard::window_samples());
  EXPECT_LE(board.Recent()[0].all.samples, 2 * MetricsBoard::window_samples());
}

TEST(MetricsBoardTest, CountsOnlyEvaluationsThatEndedWell) {
  MetricsBoard board(TwoTasksTwoScenes());
  ASSERT_TRUE(board.HoldEvaluation(1, Delta(0, 0, 8)).ok());
  ASSERT_TRUE(board.HoldEvaluation(2, Delta(0, 0, 4)).ok());
  ASSERT_TRUE(board.HoldEvaluation(2, Delta(0, 1, 2)).ok());

  board.DropEvaluation(1);
  board.CountEvaluation(2);
  board.CloseEvaluation(3, 1000);

  ASSERT_EQ(board.evaluations().size(), 1u);
  EXPECT_EQ(board.evaluations()[0].epoch, 3u);
  EXPECT_EQ(board.evaluations()[0].samples_trained, 1000u);
  EXPECT_EQ(board.evaluations()[0].tasks[0].all.samples, 6u);
}

TEST(MetricsBoardTest, StartsEachEvaluationAfresh) {
  MetricsBoard board(TwoTasksTwoScenes());
  ASSERT_TRUE(board.HoldEvaluation(1, Delta(0, 0, 8)).ok());
  board.CountEvaluation(1);
  board.CloseEvaluation(0, 100);
  ASSERT_TRUE(board.HoldEvaluation(1, Delta(0, 0, 4)).ok());
  board.CountEvaluation(1);
  board.CloseEvaluation(1, 200);

  EXPECT_EQ(board.evaluations()[1].tasks[0].all.samples, 4u);
}

TEST(MetricsBoardTest, CountsBadRowsByReason) {
  MetricsBoard board(TwoTasksTwoScenes());
  MetricsDelta delta;
  delta.set_bad_rows(3);
  BadRowCount& reason = *delta.add_bad_row_reasons();
  reason.set_reason("not a number");
  reason.set_count(3);

  ASSERT_TRUE(board.AddTraining(delta).ok());
  ASSERT_TRUE(board.HoldEvaluation(1, delta).ok());

  EXPECT_EQ(board.bad_rows(), 6u);
  EXPECT_EQ(board.bad_row_reasons().at("not a number"), 6u);
}

// gift before click, and a scene between the two.
std::shared_ptr<const TrainingPlan> Extended(const TrainingPlan& plan) {
  auto extended = std::make_shared<TrainingPlan>(plan);
  extended->clear_tasks();
  extended->clear_scenes();
  for (const char* task : {"like", "gift", "click"}) {
    extended->add_tasks(task);
  }
  for (const char* scene : {"home", "news", "live"}) {
    extended->add_scenes(scene);
  }
  return extended;
}

TEST(MetricsBoardTest, WhatWasMeasuredKeepsItsNamesWhenThePlanIsExtended) {
  auto plan = std::make_shared<TrainingPlan>(*TwoTasksTwoScenes());
  plan->mutable_watch()->set_window_samples(8);
  MetricsBoard board(plan);
  MetricsDelta delta = Delta(0, 1, 6);
  TaskWeight& weight = *delta.add_task_weights();
  weight.set_task(1);
  weight.set_weight(0.3);
  ASSERT_TRUE(board.AddTraining(delta).ok());
  ASSERT_TRUE(board.AddTraining(Delta(1, 0, 10)).ok());
  ASSERT_TRUE(board.AddTraining(Delta(1, 0, 2)).ok());
  ASSERT_TRUE(board.HoldEvaluation(7, Delta(0, 1, 4)).ok());
  ASSERT_TRUE(board.HoldEvaluation(8, Delta(1, 0, 2)).ok());
  board.CountEvaluation(8);
  board.CloseEvaluation(0, 18);

  board.Extend(Extended(*plan));
  board.CountEvaluation(7);
  board.CloseEvaluation(1, 18);

  const auto samples = [](const std::vector<TaskSummary>& tasks) {
    std::vector<uint64_t> all;
    for (const TaskSummary& task : tasks) {
      for (const MetricSummary& scene : task.scenes) {
        all.push_back(scene.samples);
      }
    }
    return all;
  };
  EXPECT_EQ(samples(board.Training()), std::vector<uint64_t>({0, 0, 0, 12, 0, 0, 0, 0, 6}));
  EXPECT_EQ(samples(board.Recent()), samples(board.Training()));
  EXPECT_EQ(board.task_weights()[1].weight, 0.3);
  EXPECT_EQ(board.task_weights()[0].weight, 1);
  ASSERT_EQ(board.evaluations().size(), 2U);
  EXPECT_EQ(samples(board.evaluations()[0].tasks),
            std::vector<uint64_t>({0, 0, 0, 2, 0, 0, 0, 0, 0}));
  EXPECT_EQ(samples(board.evaluations()[1].tasks),
            std::vector<uint64_t>({0, 0, 0, 0, 0, 0, 0, 0, 4}));
  const std::vector<MetricWindowView> windows = board.windows()->Newest(9);
  ASSERT_EQ(windows.size(), 2U);
  EXPECT_EQ(samples(windows[0].tasks), std::vector<uint64_t>({0, 0, 0, 10, 0, 0, 0, 0, 6}));
  EXPECT_EQ(samples(windows[1].tasks), std::vector<uint64_t>({0, 0, 0, 2, 0, 0, 0, 0, 0}));
  // The next report is told by the extended plan.
  ASSERT_TRUE(board.AddTraining(Delta(2, 1, 5)).ok());
  EXPECT_EQ(samples(board.Training()), std::vector<uint64_t>({0, 0, 0, 12, 0, 0, 0, 5, 6}));
}

}  // namespace
}  // namespace antiphon
