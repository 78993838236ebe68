#include "models/task_balance.h"

#include <algorithm>
#include <cmath>

#include "common/base/hash.h"
#include "common/optim/loss_balance.h"
#include "models/model_config.h"

namespace antiphon {
namespace {

// The loss of a task that knows nothing: one half for every yes or no.
const float kLogTwo = std::log(2.0F);

LossBalance RuleOf(const ModelConfig& model) {
  LossBalance rule;
  if (model.loss_weight_strategy() == ModelConfig::DWA) {
    *rule.mutable_dwa() = model.dwa();
    return rule;
  }
  *rule.mutable_grad_norm() = model.grad_norm();
  if (model.grad_norm().initial_loss() == GradNormConfig::THEORETICAL) {
    for (const TowerRef& ref : Towers(model)) {
      rule.add_initial_loss(ref.tower->weight() * kLogTwo);
    }
  }
  return rule;
}

bool IsSquared(TaskTower::LossType type) {
  return type == TaskTower::L2_LOSS || type == TaskTower::HUBER;
}

}  // namespace

TaskBalance::TaskBalance(const ModelConfig& model, BlockList& blocks)
    : strategy_(model.loss_weight_strategy()), grad_norm_(model.grad_norm()) {
  const std::vector<TowerRef> towers = Towers(model);
  weights_.assign(towers.size(), 1);
  const auto& frozen = grad_norm_.frozen_weights();
  if (strategy_ == ModelConfig::GradNorm && !frozen.empty()) {
    weights_.assign(frozen.begin(), frozen.end());
  } else if (strategy_ == ModelConfig::GradNorm || strategy_ == ModelConfig::DWA) {
    rule_block_ = blocks.AddTaskWeights(RuleOf(model), static_cast<uint32_t>(towers.size()));
    means_ = weights_;
  } else if (strategy_ == ModelConfig::Uncertainty) {
    for (const TowerRef& ref : towers) {
      log_variance_.push_back(blocks.AddVector(ref.tower->tower_name() + ".log_variance", 1,
                                               model.uncertainty().initial_log_variance()));
      variance_factor_.push_back(IsSquared(ref.tower->loss_type()) ? 0.5 : 1);
    }
  }
}

void TaskBalance::PlaceBlocks(std::span<const BlockId> places) {
  if (has_rule()) {
    rule_block_ = places[*rule_block_];
  }
  for (BlockId& block : log_variance_) {
    block = places[block];
  }
}

void TaskBalance::ReadWeights(std::span<const std::span<const float>> blocks) {
  const size_t tasks = weights_.size();
  for (size_t k = 0; k < log_variance_.size(); ++k) {
    weights_[k] = variance_factor_[k] * std::exp(-double{blocks[log_variance_[k]][0]});
  }
  if (has_rule()) {
    const std::span<const float> rows = blocks[*rule_block_];
    for (size_t k = 0; k < tasks; ++k) {
      weights_[k] = rows[kTaskWeight * tasks + k];
      means_[k] = rows[kMeanTaskWeight * tasks + k];
    }
  }
}

bool TaskBalance::MeasuresNorms(uint64_t batch_seed) const {
  return strategy_ == ModelConfig::GradNorm && has_rule() &&
         Mix64(batch_seed, 0) % grad_norm_.update_every() == 0;
}

void TaskBalance::Push(std::span<const TaskMeasurement> measured, bool with_norms,
                       StepGradients& gradients) const {
  if (strategy_ == ModelConfig::DWA || with_norms) {
    PushMeasurements(measured, gradients);
  }
  PushLogVariances(measured, gradients);
}

void TaskBalance::PushMeasurements(std::span<const TaskMeasurement> measured,
                                   StepGradients& gradients) const {
  const size_t tasks = weights_.size();
  std::vector<float>& rows = gradients.blocks[*rule_block_];
  bool any = false;
  for (size_t k = 0; k < tasks; ++k) {
    const TaskMeasurement& task = measured[k];
    rows[kGradientNorm * tasks + k] = static_cast<float>(task.norm);
    rows[kTaskLoss * tasks + k] = static_cast<float>(task.loss);
    rows[kTaskPresent * tasks + k] = task.present ? 1 : 0;
    any = any || task.present;
  }
  gradients.block_present[*rule_block_] = any ? 1 : 0;
}

// d/ds of f exp(-s) L + s / 2.
void TaskBalance::PushLogVariances(std::span<const TaskMeasurement> measured,
                                   StepGradients& gradients) const {
  for (size_t k = 0; k < log_variance_.size(); ++k) {
    if (measured[k].present) {
      gradients.blocks[log_variance_[k]][0] =
          static_cast<float>(0.5 - weights_[k] * measured[k].loss);
      gradients.block_present[log_variance_[k]] = 1;
    }
  }
}

void TaskBalance::Describe(StepOutput& output) const {
  const bool is_fixed = strategy_ == ModelConfig::Fixed || strategy_ == ModelConfig::PCGrad;
  output.task_weights.assign(weights_.begin(), is_fixed ? weights_.begin() : weights_.end());
  output.mean_task_weights = means_;
}

}  // namespace antiphon
