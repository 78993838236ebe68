#include "models/mmoe.h"

#include "models/isolation.h"
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
    towers_.emplace_back(tower, experts_.outputs(), blocks);
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
  const Var<T> experts = experts_.Forward(pass, input, pass.shared);
  const bool is_one = gates_.size() < towers_.size();
  Var<T> gate;
  for (size_t k = 0; k < towers_.size(); ++k) {
    // An isolated task trains its gate: the stop lies before the gate and before what it mixes. A
    // gate that all tasks share is none of its own.
    const TaskTower::Isolation isolation = towers_[k].isolation();
    if (k < gates_.size()) {
      gate = gates_[k].Forward(pass, is_one ? input : TowerInput(input, isolation));
    }
    const Var<T> weights = is_one ? TowerInput(gate, isolation) : gate;
    logits[k] =
        towers_[k].Forward(pass, MixBlocks(pass.tape, TowerInput(experts, isolation), weights));
  }
}

template class MmoeModel<float>;
template class MmoeModel<double>;

}  // namespace antiphon
