// TaskBalance: the job's loss_weight_strategy as one worker sees it.
//
// It adds blocks behind those of the model, reads the tasks' weights out of them before each step,
// and turns what the step measured into what is pushed for them. The history is the lanes'
// (common/optim/loss_balance.h), so any number of workers share one set of weights and a snapshot
// has it. Owned by one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "models/block_list.h"
#include "models/step.h"
#include "proto/job.pb.h"
#include "proto/parameters.pb.h"

namespace antiphon {

// What a step saw of one task.
struct TaskMeasurement {
  bool present = false;  // some sample of the batch takes part in it
  double loss = 0;       // the tower's weight included, the balance's not
  double norm = 0;       // of that loss's gradient at the last shared layer; GradNorm only
};

class TaskBalance {
 public:
  // Adds its blocks to `blocks`. The model has passed CheckModelConfig.
  TaskBalance(const ModelConfig& model, BlockList& blocks);

  // Where the blocks of the list stand in a step of this schema: places[id]. Without it they are
  // where they were added.
  void PlaceBlocks(std::span<const BlockId> places, const ParameterSchema& schema);

  // Takes the weights from the blocks of a step.
  void ReadWeights(std::span<const std::span<const float>> blocks);
  // What the weight of tower k is multiplied with.
  double weight(size_t k) const { return weights_[k]; }

  // Whether the gradient norms of this batch are to be measured: a function of the batch, so that
  // who trains it again measures it again.
  bool MeasuresNorms(uint64_t batch_seed) const;
  GradNormConfig::Source norm_source() const { return grad_norm_.source(); }
  // Whether the gradients of several tasks come together by PCGrad.
  bool projects() const { return strategy_ == ModelConfig::PCGrad; }

  // Writes what is pushed for the blocks of the balance; by task. `with_norms`: as MeasuresNorms
  // said of this batch.
  void Push(std::span<const TaskMeasurement> measured, bool with_norms,
            StepGradients& gradients) const;
  // The weights of this step, and their means where they are kept; nothing where they are fixed.
  void Describe(StepOutput& output) const;

 private:
  bool is_frozen() const { return grad_norm_.frozen_weights_size() > 0; }
  bool has_rule() const { return rule_block_.has_value() && !is_frozen(); }
  size_t At(size_t row, size_t k) const { return row * weights_.size() + columns_[k]; }
  void PushMeasurements(std::span<const TaskMeasurement> measured, StepGradients& gradients) const;
  void PushLogVariances(std::span<const TaskMeasurement> measured, StepGradients& gradients) const;

  const ModelConfig::LossWeightStrategy strategy_;
  const GradNormConfig grad_norm_;
  // GradNorm and DWA. Frozen weights leave it as it is, so that a job may freeze them, or let them
  // go, between a snapshot and a restore.
  std::optional<BlockId> rule_block_;
  std::vector<std::string> tasks_;       // the towers' names
  std::vector<size_t> columns_;          // of the tasks in it
  std::vector<BlockId> log_variance_;    // Uncertainty, by task
  std::vector<double> variance_factor_;  // 1, or 1/2 for a squared loss
  std::vector<double> weights_;
  std::vector<double> means_;  // empty: not kept
};

}  // namespace antiphon
