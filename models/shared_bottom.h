// Shared-bottom (Caruana 1997; equation 1 of Ma et al., KDD 2018):
//
//   a_k = tower_k(bottom(e))
#pragma once

#include <vector>

#include "models/mlp.h"
#include "models/model.h"
#include "proto/job.pb.h"

namespace antiphon {

template <typename T>
class SharedBottomModel final : public Model<T> {
 public:
  SharedBottomModel(const SharedBottom& config, const InputShape& input, BlockList& blocks);

  static void Check(const SharedBottom& config, const ModelChecks& checks);
  static SharedPart Shares(const SharedBottom&) { return SharedPart::kWeights; }

  void Forward(const Pass<T>& pass, const Var<T>& input, std::span<Var<T>> logits) const override;

 private:
  Mlp bottom_;
  std::vector<Tower> towers_;
};

}  // namespace antiphon
