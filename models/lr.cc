#include "models/lr.h"

#include <string>

#include "common/data/feature_columns.h"
#include "models/model_checks.h"
#include "models/tape/column_ops.h"
#include "models/tape/linear_ops.h"

namespace antiphon {

template <typename T>
LrModel<T>::LrModel(const Lr& config, const InputShape& input, BlockList& blocks)
    : numeric_(input.width - input.linear) {
  for (const TaskTower& tower : config.task_towers()) {
    Task task;
    if (numeric_ > 0) {
      task.weight = blocks.AddWeights(tower.tower_name() + ".weight", numeric_, 1, 1);
    }
    task.bias = blocks.AddVector(tower.tower_name() + ".bias", 1, 0);
    tasks_.push_back(task);
  }
}

template <typename T>
void LrModel<T>::Check(const Lr& config, const ModelChecks& checks) {
  const auto& features = checks.job().feature_config().features();
  const auto tasks = static_cast<uint32_t>(config.task_towers_size());
  for (int i = 0; i < features.size(); ++i) {
    if (IsCategorical(features[i]) && features[i].embedding_dim() != tasks) {
      checks.fields().Add(ElementPath("feature_config.features", i) + ".embedding_dim",
                          GotExpected(std::to_string(features[i].embedding_dim()),
                                      std::to_string(tasks) + ": LR has one weight a task"));
    }
  }
  const auto& groups = checks.job().model_config().feature_groups();
  for (int g = 0; g < groups.size(); ++g) {
    if (!groups[g].sequence_features().empty()) {
      checks.fields().Add(ElementPath("model_config.feature_groups", g) + ".sequence_features",
                          "is not read by model_class \"LR\", which has no embeddings");
    }
  }
  for (int k = 0; k < config.task_towers_size(); ++k) {
    if (config.task_towers(k).has_dnn()) {
      checks.fields().Add(checks.Path(ElementPath("task_towers", k)) + ".dnn",
                          "is not read by model_class \"LR\"");
    }
  }
}

template <typename T>
RowParts LrModel<T>::Parts(const Lr& config) {
  return {.linear = static_cast<uint32_t>(config.task_towers_size()), .embedding = false};
}

template <typename T>
void LrModel<T>::Forward(const Pass<T>& pass, const Var<T>& input, std::span<Var<T>> logits) const {
  const uint32_t wide = input.cols - numeric_;
  const Var<T> x = SliceColumns(input, wide, numeric_);
  for (uint32_t k = 0; k < tasks_.size(); ++k) {
    Var<T> a = AddBias(pass.tape, SliceColumns(input, k, 1), pass.block(tasks_[k].bias));
    if (numeric_ > 0) {
      a = Add(pass.tape, a,
              Linear(pass.tape, x, pass.block(tasks_[k].weight), Var<T>(), Activation::kLinear));
    }
    logits[k] = a;
  }
}

template class LrModel<float>;
template class LrModel<double>;

}  // namespace antiphon
