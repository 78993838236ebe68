// StepObserver: hears of every computed batch: progressive validation while training, scores in
// evaluation. Called by the training thread only.
#pragma once

#include "common/data/batch.h"
#include "models/step.h"
#include "proto/metrics.pb.h"
#include "proto/plan.pb.h"

namespace antiphon {

class StepObserver {
 public:
  virtual ~StepObserver() = default;

  // A partition begins. What was not taken of an evaluation that came to nothing is forgotten.
  virtual void StartRun(Partition::Kind kind) = 0;

  // `output` are the predictions made before the update.
  virtual void OnStep(const Batch& batch, const StepOutput& output) = 0;

  // Adds what was counted since the last call, and forgets it.
  virtual void TakeDelta(MetricsDelta& delta) = 0;
};

}  // namespace antiphon
