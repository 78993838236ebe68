// GradientProbe: how large the gradient of each task is at the last layer that all tasks share.
//
// A backward pass that goes task by task down to that layer leaves there what one task wants; the
// probe takes it out, and puts back the sum when all have been: below, the pass goes on as ever.
// WEIGHT costs one matrix product a task, at this layer only; their sum is the gradient of the
// layer's weights, which the layer itself then need not find. One probe a slice of the batch; a
// batch's norm comes from all of them. Owned: one thread at a time.
#pragma once

#include <cstdint>
#include <vector>

#include "models/shared_layer.h"
#include "models/tape/tape.h"
#include "proto/job.pb.h"

namespace antiphon {

class GradientProbe {
 public:
  // Forgets what it has.
  void Start(GradNormConfig::Source source, size_t tasks);

  // Before the first task of some rows, and after the last.
  void Begin(const SharedLayer<float>& layer);
  void PutBack(const SharedLayer<float>& layer) const;

  // Takes the gradient that lies at the layer's output as that of task k.
  void Take(Tape<float>& tape, const SharedLayer<float>& layer, size_t k);

  // With WEIGHT, after all rows: the sum of the tasks' gradients, to the layer's weights.
  void AddToWeight(Tape<float>& tape, const SharedLayer<float>& layer) const;

  // Whether any gradient of task k came by.
  bool reached(size_t k) const { return tasks_[k].reached; }

  // The index-th part of the square of task k's norm; all `probes` together have them all.
  static double SquareSum(const std::vector<const GradientProbe*>& probes, size_t k, size_t index);

 private:
  struct Task {
    bool reached = false;
    std::vector<float> gradient;  // of the weights
    double square_sum = 0;        // of the activations
  };

  GradNormConfig::Source source_ = GradNormConfig::WEIGHT;
  std::vector<Task> tasks_;
  std::vector<float> sum_;  // of the tasks' gradients at the output
  bool any_ = false;
};

}  // namespace antiphon
