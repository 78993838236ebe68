#include "models/task_balance.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "common/base/hash.h"
#include "common/base/logging.h"
#include "common/optim/loss_balance.h"
#include "models/model_config.h"

namespace antiphon {
namespace {

// The loss of a task that knows nothing: one half for every yes or no.
const float kLogTwo = std::log(2.0F);

LossBalance RuleOf(const ModelConfig& model) {
  LossBalance rule;
  for (const TowerRef& ref : Towers(model)) {
    rule.add_tasks(ref.tower->tower_name());
  }
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
    : strategy_(model.loss_weight_strategy()),
      grad_norm_(model.grad_norm()),
      tasks_(TaskNames(model)) {
  const std::vector<TowerRef> towers = Towers(model);
  weights_.assign(towers.size(), 1);
  if (strategy_ == ModelConfig::GradNorm || strategy_ == ModelConfig::DWA) {
    rule_block_ = blocks.AddTaskWeights(RuleOf(model));
    columns_.resize(towers.size());
    std::iota(columns_.begin(), columns_.end(), size_t{0});
    if (is_frozen()) {
      weights_.assign(grad_norm_.frozen_weights().begin(), grad_norm_.frozen_weights().end());
    } else {
      means_ = weights_;
    }
  } else if (strategy_ == ModelConfig::Uncertainty) {
    for (const TowerRef& ref : towers) {
      log_variance_.push_back(blocks.AddVector(ref.tower->tower_name() + ".log_variance", 1,
                                               model.uncertainty().initial_log_variance()));
      variance_factor_.push_back(IsSquared(ref.tower->loss_type()) ? 0.5 : 1);
    }
  }
}

void TaskBalance::PlaceBlocks(std::span<const BlockId> places, const ParameterSchema& schema) {
  if (rule_block_.has_value()) {
    rule_block_ = places[*rule_block_];
    const auto& placed = schema.blocks(static_cast<int>(*rule_block_)).loss_balance().tasks();
    for (size_t k = 0; k < columns_.size(); ++k) {
      const auto found = std::find(placed.begin(), placed.end(), tasks_[k]);
      CHECK(found != placed.end()) << tasks_[k];
      columns_[k] = static_cast<size_t>(found - placed.begin());
    }
  }
  for (BlockId& block : log_variance_) {
    block = places[block];
  }
}

void TaskBalance::ReadWeights(std::span<const std::span<const float>> blocks) {
  for (size_t k = 0; k < log_variance_.size(); ++k) {
    weights_[k] = variance_factor_[k] * std::exp(-double{blocks[log_variance_[k]][0]});
  }
  if (has_rule()) {
    const std::span<const float> rows = blocks[*rule_block_];
    for (size_t k = 0; k < weights_.size(); ++k) {
      weights_[k] = rows[At(kTaskWeight, k)];
      means_[k] = rows[At(kMeanTaskWeight, k)];
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
  std::vector<float>& rows = gradients.blocks[*rule_block_];
  bool any = false;
  for (size_t k = 0; k < measured.size(); ++k) {
    const TaskMeasurement& task = measured[k];
    rows[At(kGradientNorm, k)] = static_cast<float>(task.norm);
    rows[At(kTaskLoss, k)] = static_cast<float>(task.loss);
    rows[At(kTaskPresent, k)] = task.present ? 1 : 0;
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
