#include "models/shared_bottom.h"

#include "models/isolation.h"
#include "models/model_checks.h"

namespace antiphon {

template <typename T>
SharedBottomModel<T>::SharedBottomModel(const SharedBottom& config, const InputShape& input,
                                        BlockList& blocks)
    : bottom_("bottom", input.width, config.bottom_dnn(), 1, blocks) {
  for (const TaskTower& tower : config.task_towers()) {
    towers_.emplace_back(tower, bottom_.outputs(), blocks);
  }
}

template <typename T>
void SharedBottomModel<T>::Check(const SharedBottom& config, const ModelChecks& checks) {
  checks.NeedsLayers("bottom_dnn", config.bottom_dnn());
}

template <typename T>
void SharedBottomModel<T>::Forward(const Pass<T>& pass, const Var<T>& input,
                                   std::span<Var<T>> logits) const {
  const Var<T> shared = bottom_.Forward(pass, input, pass.shared);
  for (size_t k = 0; k < towers_.size(); ++k) {
    logits[k] = towers_[k].Forward(pass, TowerInput(shared, towers_[k].isolation()));
  }
}

template class SharedBottomModel<float>;
template class SharedBottomModel<double>;

}  // namespace antiphon
