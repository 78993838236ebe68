// A network of its own for each task on the shared embeddings (one task: the plain DNN):
//
//   a_k = tower_k(e)
#pragma once

#include <vector>

#include "models/mlp.h"
#include "models/model.h"
#include "proto/job.pb.h"

namespace antiphon {

template <typename T>
class DnnTowers final : public Model<T> {
 public:
  DnnTowers(const DnnModel& config, const InputShape& input, BlockList& blocks);

  void Forward(const Pass<T>& pass, const Var<T>& input, std::span<Var<T>> logits) const override;

 private:
  std::vector<Tower> towers_;
};

}  // namespace antiphon
