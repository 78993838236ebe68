#include "models/mmoe.h"

#include <string>

#include "models/tape/column_ops.h"
#include "models/tape/linear_ops.h"

namespace antiphon {

template <typename T>
MmoeModel<T>::MmoeModel(const MMoE& config, uint32_t input_width, BlockList& blocks)
    : has_gate_bias_(config.gate_bias()),
      experts_("experts", input_width, config.expert_dnn(), config.num_expert(), blocks) {
  for (const TaskTower& tower : config.task_towers()) {
    const std::string gate = tower.tower_name() + ".gate";
    const BlockId weight = blocks.AddWeights(gate + ".weight", input_width, config.num_expert(), 1);
    const BlockId bias =
        has_gate_bias_ ? blocks.AddVector(gate + ".bias", config.num_expert(), 0) : 0;
    tasks_.push_back(
        {weight, bias, Tower(tower.tower_name(), experts_.outputs(), tower.dnn(), blocks)});
  }
}

template <typename T>
void MmoeModel<T>::Forward(const Pass<T>& pass, const Var<T>& input,
                           std::span<Var<T>> logits) const {
  const Var<T> experts = experts_.Forward(pass, input);
  for (size_t k = 0; k < tasks_.size(); ++k) {
    const Task& task = tasks_[k];
    const Var<T> bias = has_gate_bias_ ? pass.block(task.gate_bias) : Var<T>();
    const Var<T> gate = Softmax(pass.tape, Linear(pass.tape, input, pass.block(task.gate_weight),
                                                  bias, Activation::kLinear));
    logits[k] = task.tower.Forward(pass, MixBlocks(pass.tape, experts, gate));
  }
}

template class MmoeModel<float>;
template class MmoeModel<double>;

}  // namespace antiphon
