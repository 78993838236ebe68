#include "models/shared_bottom.h"

#include "models/model_checks.h"

namespace antiphon {

template <typename T>
SharedBottomModel<T>::SharedBottomModel(const SharedBottom& config, const InputShape& input,
                                        BlockList& blocks)
    : bottom_("bottom", input.width, config.bottom_dnn(), 1, blocks) {
  for (const TaskTower& tower : config.task_towers()) {
    towers_.emplace_back(tower.tower_name(), bottom_.outputs(), tower.dnn(), blocks);
  }
}

template <typename T>
void SharedBottomModel<T>::Check(const SharedBottom& config, const ModelChecks& checks) {
  checks.NeedsLayers("bottom_dnn", config.bottom_dnn());
}

template <typename T>
void SharedBottomModel<T>::Forward(const Pass<T>& pass, const Var<T>& input,
                                   std::span<Var<T>> logits) const {
  const Var<T> shared = bottom_.Forward(pass, input);
  for (size_t k = 0; k < towers_.size(); ++k) {
    logits[k] = towers_[k].Forward(pass, shared);
  }
}

template class SharedBottomModel<float>;
template class SharedBottomModel<double>;

}  // namespace antiphon
