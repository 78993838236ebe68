// Multi-gate mixture of experts (equations 5 to 8 of Ma et al., KDD 2018):
//
//   f_i = expert_i(e)                 i = 1..n, networks of one shape
//   g_k = softmax(W_k e + b_k)        one weight an expert, for each task
//   r_k = sum_i g_k,i f_i
//   a_k = tower_k(r_k)
//
// With one_gate all tasks share g and r (OMoE, the paper's baseline).
#pragma once

#include <vector>

#include "models/gate.h"
#include "models/mlp.h"
#include "models/model.h"
#include "proto/job.pb.h"

namespace antiphon {

template <typename T>
class MmoeModel final : public Model<T> {
 public:
  MmoeModel(const MMoE& config, const InputShape& input, BlockList& blocks);

  static void Check(const MMoE& config, const ModelChecks& checks);
  static SharedPart Shares(const MMoE&) { return SharedPart::kWeights; }

  void Forward(const Pass<T>& pass, const Var<T>& input, std::span<Var<T>> logits) const override;

 private:
  Mlp experts_;
  std::vector<Gate> gates_;  // one a task, or one
  std::vector<Tower> towers_;
};

}  // namespace antiphon
