#include "models/dnn.h"

#include "models/isolation.h"

namespace antiphon {

template <typename T>
DnnTowers<T>::DnnTowers(const DnnModel& config, const InputShape& input, BlockList& blocks) {
  for (const TaskTower& tower : config.task_towers()) {
    towers_.emplace_back(tower, input.width, blocks);
  }
}

template <typename T>
void DnnTowers<T>::Forward(const Pass<T>& pass, const Var<T>& input,
                           std::span<Var<T>> logits) const {
  for (size_t k = 0; k < towers_.size(); ++k) {
    logits[k] = towers_[k].Forward(pass, TowerInput(input, towers_[k].isolation()));
  }
}

template class DnnTowers<float>;
template class DnnTowers<double>;

}  // namespace antiphon
