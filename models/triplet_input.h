// Host, text and avatar below any model, model_config.triplet. With x_g the columns of feature
// group g, ids and vectors side by side, and P_g a matrix:
//
//   p_g = P_g x_g                                      g: host, text, avatar and, if there is one,
//   user the model reads [e ; p_g * p_g' for each two groups ; p_host * p_text * p_avatar]
//
// There is no bias: a product then vanishes with either factor, and what one group says alone is
// in e already. Computed once for all tasks.
#pragma once

#include <cstdint>
#include <vector>

#include "models/input_columns.h"
#include "models/model.h"
#include "proto/job.pb.h"

namespace antiphon {

class TripletInput {
 public:
  TripletInput(const Triplet& config, const InputShape& input, BlockList& blocks);

  // `checks` stand at model_config.triplet.
  static void Check(const Triplet& config, const ModelChecks& checks);

  // The shape of what Forward makes, for the model above.
  InputShape Inner(const InputShape& input) const;
  template <typename T>
  Var<T> Forward(const Pass<T>& pass, const Var<T>& input) const;

 private:
  struct Side {
    InputColumns columns;
    BlockId projection = 0;
  };

  size_t product_count() const { return sides_.size() * (sides_.size() - 1) / 2 + 1; }

  uint32_t dim_;
  std::vector<Side> sides_;  // host, text, avatar, user
};

}  // namespace antiphon
