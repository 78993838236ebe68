// Entire-space multi-task model (Ma et al., SIGIR 2018), p = P(click), q = P(conversion | click):
//
//   p = sigmoid(a),  a = ctr_tower(h)      h = bottom(e), or e itself
//   q = sigmoid(c),  c = cvr_tower(h)
//   loss = l(click, p) + weight l(click and conversion, p q)
//
// Both losses run over all impressions; q has no loss of its own, which is how it learns without
// the bias of clicked samples. All in log space, 1 - p q is never a difference. Task 1 predicts p
// q.
#pragma once

#include <optional>

#include "models/mlp.h"
#include "models/model.h"
#include "proto/job.pb.h"

namespace antiphon {

template <typename T>
class EsmmModel final : public Model<T> {
 public:
  EsmmModel(const Esmm& config, const InputShape& input, BlockList& blocks);

  static void Check(const Esmm& config, const ModelChecks& checks);

  void Forward(const Pass<T>& pass, const Var<T>& input, std::span<Var<T>> logits) const override;
  void Losses(Tape<T>& tape, std::span<const Var<T>> logits, std::span<const Target<T>> targets,
              std::span<const T> scales, std::span<double> sums) const override;
  float PredictedLogit(std::span<const Var<T>> logits, size_t k, size_t r) const override;

 private:
  bool stop_ctr_grad_;  // the second loss does not move p
  Mlp bottom_;
  Tower ctr_;
  Tower cvr_;
};

}  // namespace antiphon
