#include "scheduler/metrics_state.h"

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "common/base/rng.h"
#include "scheduler/metrics_board.h"

namespace antiphon {
namespace {

std::shared_ptr<TrainingPlan> Watched() {
  auto plan = std::make_shared<TrainingPlan>();
  for (const char* task : {"click", "watch", "order"}) {
    plan->add_tasks(task);
  }
  plan->add_scenes("home");
  plan->add_scenes("live");
  plan->mutable_watch()->set_half_life_samples(500);
  plan->mutable_watch()->set_keep_windows(3);
  return plan;
}

std::shared_ptr<TrainingPlan> WatchedByTime() {
  std::shared_ptr<TrainingPlan> plan = Watched();
  plan->mutable_watch()->set_window_seconds(60);
  return plan;
}

std::shared_ptr<TrainingPlan> WatchedBySamples() {
  std::shared_ptr<TrainingPlan> plan = Watched();
  plan->mutable_watch()->set_window_samples(300);
  return plan;
}

// What a worker might report: each kind of task, weights, ages, bad rows, and a window that moves
// on.
MetricsDelta SomeDelta(Rng& rng, int64_t window) {
  MetricsDelta delta;
  delta.set_samples(100);
  delta.set_bad_rows(rng.Below(3));
  BadRowCount& bad = *delta.add_bad_row_reasons();
  bad.set_reason("label");
  bad.set_count(delta.bad_rows());
  delta.mutable_step_seconds()->set_steps(1);
  delta.mutable_step_seconds()->set_compute(rng.Uniform());
  for (uint32_t scene = 0; scene < 2; ++scene) {
    TaskSums sums[3];
    for (int i = 0; i < 50; ++i) {
      sums[0].probability.Add(static_cast<float>(rng.Uniform()), rng.Below(2) == 0);
      sums[1].number.Add(static_cast<float>(rng.Uniform()), static_cast<float>(rng.Uniform()));
    }
    for (uint32_t task = 0; task < 3; ++task) {
      TaskMetrics& part = *delta.add_tasks();
      part.set_task(task);
      part.set_scene(scene);
      part.set_window(window);
      sums[task].ToProto(part);
    }
    PairSums& pairs = *delta.mutable_tasks(delta.tasks_size() - 1)->mutable_pairs();
    pairs.set_samples(50);
    pairs.set_pairs(40);
    pairs.set_in_order(30.5);
  }
  TaskWeight& weight = *delta.add_task_weights();
  weight.set_task(1);
  weight.set_weight(rng.Uniform());
  AgeHistogram ages;
  ages.Add(static_cast<int64_t>(rng.Below(100000)), 100);
  ages.ToProto(*delta.mutable_ages());
  delta.mutable_ages()->set_newest_event_ms(window * 60000);
  return delta;
}

void AddReports(MetricsBoard& board, uint64_t seed, int64_t first_window) {
  Rng rng(seed);
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(
        board.AddTraining(SomeDelta(rng, first_window + i / 4 - static_cast<int64_t>(rng.Below(3))))
            .ok());
  }
  ASSERT_TRUE(board.HoldEvaluation(7, SomeDelta(rng, 0)).ok());
  ASSERT_TRUE(board.HoldEvaluation(8, SomeDelta(rng, 0)).ok());
  board.CountEvaluation(7);
  board.CloseEvaluation(1, 4000);
  ASSERT_TRUE(board.HoldEvaluation(9, SomeDelta(rng, 0)).ok());
  board.CountEvaluation(9);
}

class MetricsStateTest : public ::testing::TestWithParam<std::shared_ptr<TrainingPlan>> {};

TEST_P(MetricsStateTest, ABoardThatWasLoadedGoesOnAsTheOneThatWasSaved) {
  MetricsBoard kept(GetParam());
  AddReports(kept, 1, 100);
  const MetricsState saved = kept.Save();

  MetricsBoard loaded(GetParam());
  AddReports(loaded, 2, 300);  // all of which goes
  const Status status = loaded.Load(saved);

  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(loaded.Save().SerializeAsString(), saved.SerializeAsString());
  for (MetricsBoard* board : {&kept, &loaded}) {
    board->CountEvaluation(8);
    AddReports(*board, 3, 108);
    board->CloseEvaluation(2, 8000);
  }
  EXPECT_EQ(loaded.Save().SerializeAsString(), kept.Save().SerializeAsString());
  EXPECT_GT(loaded.Training()[0].all.samples, 7000U);
  EXPECT_EQ(loaded.evaluations().size(), 3U);
  EXPECT_EQ(loaded.evaluations()[1].tasks[0].all.samples, 300U)
      << "workers 9 and 8 measured before it was saved, 7 after";
  EXPECT_EQ(loaded.windows()->Newest(100).size(), kept.windows()->Newest(100).size());
}

INSTANTIATE_TEST_SUITE_P(Windows, MetricsStateTest,
                         ::testing::Values(Watched(), WatchedByTime(), WatchedBySamples()));

TEST(MetricsStateOfAnotherPlanTest, IsRefusedAndChangesNothing) {
  MetricsBoard board(Watched());
  AddReports(board, 1, 100);
  const MetricsState saved = board.Save();
  auto smaller = std::make_shared<TrainingPlan>();
  smaller->add_tasks("click");
  MetricsBoard other(smaller);

  EXPECT_EQ(other.Load(saved).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(other.Training()[0].all.samples, 0U);
}

}  // namespace
}  // namespace antiphon
