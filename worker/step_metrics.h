// StepMetrics: progressive validation and evaluation, task by task and scene by scene.
//
// Every computed batch is counted with the predictions made before its update. Deltas go to the
// scheduler, which adds those of all workers. Owned by the training thread.
#pragma once

#include <cstdint>
#include <vector>

#include "common/math/ranking_metrics.h"
#include "proto/metrics.pb.h"
#include "proto/plan.pb.h"
#include "worker/partition_run.h"

namespace antiphon {

class StepMetrics final : public StepObserver {
 public:
  explicit StepMetrics(const TrainingPlan& plan);

  // What was not taken of an evaluation that came to nothing is forgotten. Users are told apart
  // (for GAUC) in evaluations only.
  void StartRun(Partition::Kind kind);

  void OnStep(const Batch& batch, const StepOutput& output) override;

  // Adds what was counted since the last call, and forgets it.
  void TakeDelta(MetricsDelta& delta);

 private:
  const size_t scenes_;  // at least 1
  bool evaluating_ = false;
  uint64_t samples_ = 0;
  std::vector<RankingMetrics> metrics_;  // [task * scenes + scene]
};

}  // namespace antiphon
