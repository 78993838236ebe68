// StepMetrics: what a model predicted against what happened, task by task and scene by scene.
//
// A sample counts for a task when the task's loss counts it, with the sample's weight. Users are
// told apart (for GAUC) in evaluations only. Owned by the training thread.
#pragma once

#include <cstddef>
#include <vector>

#include "common/math/ranking_metrics.h"
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
  const TaskTargets& targets_;
  const size_t scenes_;  // at least 1
  bool evaluating_ = false;
  std::vector<RankingMetrics> metrics_;  // [task * scenes + scene]
};

}  // namespace antiphon
