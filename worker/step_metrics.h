// StepMetrics: what a model predicted against what happened, task by task and scene by scene: as
// probabilities, as numbers or as an order inside each request, by what the task learns.
//
// A sample counts for a task when the task's loss counts it, with the sample's weight. Users are
// told apart (for GAUC) in evaluations only. Owned by the training thread.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "common/math/task_sums.h"
#include "models/task_targets.h"
#include "worker/step_observer.h"

namespace antiphon {

class StepMetrics final : public StepObserver {
 public:
  // `targets` are those of the batch that OnStep hears of; they outlive this.
  StepMetrics(const TrainingPlan& plan, const TaskTargets& targets);

  void StartRun(Partition::Kind kind) override;
  void OnStep(const Batch& batch, const StepOutput& output) override;
  void TakeDelta(MetricsDelta& delta) override;

 private:
  TaskSums& SumsOf(size_t task, const Batch& batch, uint32_t row);
  void AddProbabilities(size_t task, const Batch& batch, std::span<const float> logits);
  void AddNumbers(size_t task, const Batch& batch, std::span<const float> outputs);
  void AddRequests(size_t task, const Batch& batch, std::span<const float> scores);

  const TaskTargets& targets_;
  const size_t scenes_;  // at least 1
  bool evaluating_ = false;
  std::vector<TaskSums> metrics_;             // [task * scenes + scene]
  std::vector<PairMetrics::Sample> request_;  // scratch
  std::vector<double> task_weights_;          // of the last training step, as StepOutput has them
  std::vector<double> mean_task_weights_;
};

}  // namespace antiphon
