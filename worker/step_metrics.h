// StepMetrics: what a model predicted against what happened, task by task and scene by scene: as
// probabilities, as numbers or as an order inside each request, by what the task learns.
//
// Where the job watches windows of event time, each window has sums of its own, and samples from
// too far in the future have sums that are of no window; with a time field the age of every trained
// sample is counted. A sample counts for a task when the task's loss counts it, with the sample's
// weight. Users are told apart (for GAUC) in evaluations only. Owned by the training thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <span>
#include <vector>

#include "common/base/clock.h"
#include "common/math/age_histogram.h"
#include "common/math/task_sums.h"
#include "models/task_targets.h"
#include "worker/step_observer.h"

namespace antiphon {

class StepMetrics final : public StepObserver {
 public:
  // `targets` are those of the batch that OnStep hears of; they and the clock outlive this.
  StepMetrics(const TrainingPlan& plan, const TaskTargets& targets, Clock& clock);

  void StartRun(Partition::Kind kind) override;
  void OnStep(const Batch& batch, const StepOutput& output) override;
  void TakeDelta(MetricsDelta& delta) override;

 private:
  using Sums = std::vector<TaskSums>;  // [task * scenes + scene]
  static constexpr int64_t kNoWindow = std::numeric_limits<int64_t>::min();

  TaskSums& SumsOf(size_t task, const Batch& batch, uint32_t row);
  Sums& SumsOfWindow(int64_t window);
  int64_t WindowOf(int64_t event_time_ms) const;
  void CountAges(const Batch& batch);
  void TakeSums(int64_t window, Sums& sums, MetricsDelta& delta) const;
  void AddProbabilities(size_t task, const Batch& batch, std::span<const float> logits);
  void AddNumbers(size_t task, const Batch& batch, std::span<const float> outputs);
  void AddRequests(size_t task, const Batch& batch, std::span<const float> scores);

  const TaskTargets& targets_;
  Clock& clock_;
  const size_t tasks_;
  const size_t scenes_;      // at least 1
  const int64_t window_ms_;  // 0: no windows of event time
  const int64_t max_ahead_ms_;
  int64_t latest_believed_ms_ = 0;  // of the event times of the batch at hand
  bool evaluating_ = false;
  std::map<int64_t, Sums> windows_;  // without windows the only one is 0
  int64_t latest_window_ = 0;        // that SumsOfWindow gave, and its sums
  Sums* latest_ = nullptr;
  AgeHistogram ages_;
  int64_t newest_event_ms_ = 0;
  std::vector<PairMetrics::Sample> request_;  // scratch
  std::vector<double> task_weights_;          // of the last training step, as StepOutput has them
  std::vector<double> mean_task_weights_;
};

}  // namespace antiphon
