// Logistic regression, one for each task:
//
//   a_k = sum_f w_k[f]  +  v_k x  +  b_k
//
// w_k[f] is column k of the table row of a feature's value: the input's leading columns hold their
// sums already. x are the numeric features.
#pragma once

#include <vector>

#include "models/model.h"
#include "proto/job.pb.h"

namespace antiphon {

template <typename T>
class LrModel final : public Model<T> {
 public:
  LrModel(const Lr& config, const InputShape& input, BlockList& blocks);

  static void Check(const Lr& config, const ModelChecks& checks);
  // One weight a task.
  static RowParts Parts(const Lr& config);

  void Forward(const Pass<T>& pass, const Var<T>& input, std::span<Var<T>> logits) const override;

 private:
  struct Task {
    BlockId weight = 0;  // only with numeric features
    BlockId bias = 0;
  };

  uint32_t numeric_;  // columns behind the sums
  std::vector<Task> tasks_;
};

}  // namespace antiphon
