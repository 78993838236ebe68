#include "models/mmoe.h"

#include "models/model_checks.h"
#include "models/tape/column_ops.h"

namespace antiphon {

template <typename T>
MmoeModel<T>::MmoeModel(const MMoE& config, const InputShape& input, BlockList& blocks)
    : experts_("experts", input.width, config.expert_dnn(), config.num_expert(), blocks) {
  const Gate::Bias bias = config.gate_bias() ? Gate::Bias::kYes : Gate::Bias::kNo;
  const auto add_gate = [&](const std::string& name) {
    gates_.emplace_back(name, input.width, config.num_expert(), bias, blocks);
  };
  if (config.one_gate()) {
    add_gate("gate");
  }
  for (const TaskTower& tower : config.task_towers()) {
    if (!config.one_gate()) {
      add_gate(tower.tower_name() + ".gate");
    }
    towers_.emplace_back(tower.tower_name(), experts_.outputs(), tower.dnn(), blocks);
  }
}

template <typename T>
void MmoeModel<T>::Check(const MMoE& config, const ModelChecks& checks) {
  checks.NeedsLayers("expert_dnn", config.expert_dnn());
  checks.Experts("num_expert", config.num_expert());
}

template <typename T>
void MmoeModel<T>::Forward(const Pass<T>& pass, const Var<T>& input,
                           std::span<Var<T>> logits) const {
  const Var<T> experts = experts_.Forward(pass, input);
  Var<T> mixed;
  for (size_t k = 0; k < towers_.size(); ++k) {
    if (k < gates_.size()) {
      mixed = MixBlocks(pass.tape, experts, gates_[k].Forward(pass, input));
    }
    logits[k] = towers_[k].Forward(pass, mixed);
  }
}

template class MmoeModel<float>;
template class MmoeModel<double>;

}  // namespace antiphon
