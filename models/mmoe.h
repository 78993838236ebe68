// Multi-gate mixture of experts (equations 5 to 8 of Ma et al., KDD 2018):
//
//   f_i = expert_i(e)                 i = 1..n, networks of one shape
//   g_k = softmax(W_k e + b_k)        one weight an expert, for each task
//   r_k = sum_i g_k,i f_i
//   a_k = tower_k(r_k)
#pragma once

#include <vector>

#include "models/mlp.h"
#include "models/model.h"
#include "proto/job.pb.h"

namespace antiphon {

template <typename T>
class MmoeModel final : public Model<T> {
 public:
  MmoeModel(const MMoE& config, uint32_t input_width, BlockList& blocks);

  void Forward(const Pass<T>& pass, const Var<T>& input, std::span<Var<T>> logits) const override;

 private:
  struct Task {
    BlockId gate_weight = 0;
    BlockId gate_bias = 0;  // only with gate_bias
    Tower tower;
  };

  bool has_gate_bias_;
  Mlp experts_;
  std::vector<Task> tasks_;
};

}  // namespace antiphon
