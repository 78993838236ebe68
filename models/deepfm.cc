#include "models/deepfm.h"

#include "models/model_checks.h"
#include "models/tape/column_ops.h"
#include "models/tape/linear_ops.h"
#include "models/tape/pair_ops.h"

namespace antiphon {
namespace {

template <typename Message>
RowParts PartsOf(const Message& config) {
  return {.linear = static_cast<uint32_t>(config.task_towers_size()),
          .linear_optimizer =
              config.has_linear_optimizer_config() ? &config.linear_optimizer_config() : nullptr};
}

template <typename Message>
void CheckLinear(const Message& config, const ModelChecks& checks) {
  PairFields::Check(checks);
  if (config.has_linear_optimizer_config()) {
    checks.fields().Optimizer(checks.Path("linear_optimizer_config"),
                              config.linear_optimizer_config());
  }
}

}  // namespace

template <typename T>
DeepFmModel<T>::DeepFmModel(const FmModel& config, const InputShape& input, BlockList& blocks)
    : linear_(input.linear), fields_(input) {
  numeric_ = input.width - linear_ - fields_.count() * fields_.dim();
  for (const TaskTower& tower : config.task_towers()) {
    Flat flat;
    if (numeric_ > 0) {
      flat.weight = blocks.AddWeights(tower.tower_name() + ".weight", numeric_, 1, 1);
    }
    flat.bias = blocks.AddVector(tower.tower_name() + ".bias", 1, 0);
    flats_.push_back(flat);
  }
}

template <typename T>
DeepFmModel<T>::DeepFmModel(const DeepFm& config, const InputShape& input, BlockList& blocks)
    : linear_(input.linear), numeric_(0), fields_(input) {
  for (const TaskTower& tower : config.task_towers()) {
    towers_.emplace_back(tower.tower_name(), input.width - linear_, tower.dnn(), blocks);
  }
}

template <typename T>
void DeepFmModel<T>::Check(const FmModel& config, const ModelChecks& checks) {
  CheckLinear(config, checks);
  for (int k = 0; k < config.task_towers_size(); ++k) {
    if (config.task_towers(k).has_dnn()) {
      checks.fields().Add(checks.Path(ElementPath("task_towers", k)) + ".dnn",
                          "is not read by model_class \"FM\", expected none, or \"DeepFM\"");
    }
  }
}

template <typename T>
void DeepFmModel<T>::Check(const DeepFm& config, const ModelChecks& checks) {
  CheckLinear(config, checks);
}

template <typename T>
RowParts DeepFmModel<T>::Parts(const FmModel& config) {
  return PartsOf(config);
}

template <typename T>
RowParts DeepFmModel<T>::Parts(const DeepFm& config) {
  return PartsOf(config);
}

template <typename T>
void DeepFmModel<T>::Forward(const Pass<T>& pass, const Var<T>& input,
                             std::span<Var<T>> logits) const {
  const Var<T> pairs = SumColumns(pass.tape, fields_.Products(pass, input));
  const Var<T> deep = SliceColumns(input, linear_, input.cols - linear_);
  const Var<T> numeric = numeric_ > 0 ? fields_.Replace(pass, input, linear_, Var<T>()) : Var<T>();
  for (uint32_t k = 0; k < logits.size(); ++k) {
    Var<T> a = Add(pass.tape, SliceColumns(input, k, 1), pairs);
    if (!towers_.empty()) {
      a = Add(pass.tape, a, towers_[k].Forward(pass, deep));
    } else {
      a = AddBias(pass.tape, a, pass.block(flats_[k].bias));
    }
    if (numeric_ > 0) {
      a = Add(
          pass.tape, a,
          Linear(pass.tape, numeric, pass.block(flats_[k].weight), Var<T>(), Activation::kLinear));
    }
    logits[k] = a;
  }
}

template class DeepFmModel<float>;
template class DeepFmModel<double>;

}  // namespace antiphon
