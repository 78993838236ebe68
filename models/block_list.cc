#include "models/block_list.h"

#include <cmath>

#include "common/optim/loss_balance.h"

namespace antiphon {

BlockId BlockList::Add(const std::string& name, uint32_t rows, uint32_t cols, Kind kind) {
  BlockSpec& spec = specs_.emplace_back();
  spec.set_name(name);
  spec.set_rows(rows);
  spec.set_cols(cols);
  is_weights_.push_back(kind == Kind::kWeights ? 1 : 0);
  return size() - 1;
}

BlockId BlockList::AddWeights(const std::string& name, uint32_t inputs, uint32_t outputs,
                              uint32_t stack) {
  const BlockId id = Add(name, stack * outputs, inputs, Kind::kWeights);
  const double limit = std::sqrt(6.0 / (static_cast<double>(inputs) + outputs));
  UniformInitializer& uniform = *specs_[id].mutable_initializer()->mutable_uniform_initializer();
  uniform.set_minval(static_cast<float>(-limit));
  uniform.set_maxval(static_cast<float>(limit));
  return id;
}

BlockId BlockList::AddVector(const std::string& name, uint32_t size, float value) {
  const BlockId id = Add(name, 1, size, Kind::kVector);
  specs_[id].mutable_initializer()->mutable_constant_initializer()->set_value(value);
  return id;
}

BlockId BlockList::AddEqualWeights(const std::string& name, uint32_t inputs, uint32_t outputs,
                                   float value) {
  const BlockId id = Add(name, outputs, inputs, Kind::kWeights);
  specs_[id].mutable_initializer()->mutable_constant_initializer()->set_value(value);
  return id;
}

BlockId BlockList::AddStatistics(const std::string& name, uint32_t size, float decay) {
  const BlockId id = AddVector(name, size, 0);
  specs_[id].mutable_optimizer()->mutable_decayed_sums()->set_decay(decay);
  return id;
}

BlockId BlockList::AddLike(BlockId id, const std::string& name, float value) {
  const uint32_t rows = specs_[id].rows();
  const uint32_t cols = specs_[id].cols();
  const BlockId added = Add(name, rows, cols, is_weights(id) ? Kind::kWeights : Kind::kVector);
  specs_[added].mutable_initializer()->mutable_constant_initializer()->set_value(value);
  return added;
}

BlockId BlockList::AddTaskWeights(const LossBalance& rule) {
  const auto tasks = static_cast<uint32_t>(rule.tasks_size());
  const BlockId id = Add("task_weights", kBalanceRows, tasks, Kind::kVector);
  *specs_[id].mutable_loss_balance() = rule;
  specs_[id].mutable_initializer()->mutable_constant_initializer()->set_value(1);
  return id;
}

}  // namespace antiphon
