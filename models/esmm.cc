#include "models/esmm.h"

#include "models/model_checks.h"
#include "models/tape/column_ops.h"

namespace antiphon {

template <typename T>
EsmmModel<T>::EsmmModel(const Esmm& config, const InputShape& input, BlockList& blocks)
    : stop_ctr_grad_(config.stop_ctr_grad_in_ctcvr()),
      bottom_("bottom", input.width, config.bottom_dnn(), 1, blocks),
      ctr_(config.ctr_tower().tower_name(), bottom_.outputs(), config.ctr_tower().dnn(), blocks),
      cvr_(config.cvr_tower().tower_name(), bottom_.outputs(), config.cvr_tower().dnn(), blocks) {}

template <typename T>
void EsmmModel<T>::Check(const Esmm& config, const ModelChecks& checks) {
  if (config.has_bottom_dnn()) {
    checks.NeedsLayers("bottom_dnn", config.bottom_dnn());
  }
}

template <typename T>
void EsmmModel<T>::Forward(const Pass<T>& pass, const Var<T>& input,
                           std::span<Var<T>> logits) const {
  const Var<T> shared = bottom_.Forward(pass, input);
  logits[0] = ctr_.Forward(pass, shared);
  logits[1] = cvr_.Forward(pass, shared);
}

template <typename T>
void EsmmModel<T>::Losses(Tape<T>& tape, std::span<const Var<T>> logits,
                          std::span<const Target<T>> targets, std::span<const T> scales,
                          std::span<double> sums) const {
  const Var<T>& a = logits[0];
  sums[0] = LogLoss(tape, a, targets[0], &scales[0]);
  sums[1] =
      ProductLogLoss(tape, stop_ctr_grad_ ? StopGradient(a) : a, logits[1], targets[1], &scales[1]);
}

template <typename T>
float EsmmModel<T>::PredictedLogit(std::span<const Var<T>> logits, size_t k, size_t r) const {
  const T a = logits[0].value[r];
  return static_cast<float>(k == 0 ? a : ProductLogit(a, logits[1].value[r]));
}

template class EsmmModel<float>;
template class EsmmModel<double>;

}  // namespace antiphon
