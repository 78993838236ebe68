// Pairs of features below or beside any model, model_config.fm. With e the features, x_i the
// embeddings among them, w the linear parts of their table rows and b = sum_{i<j} x_i * x_j:
//
//   BI_VECTOR:  the model reads [e ; b ; w]                        w: one weight a feature
//   KERNEL:     the model reads [e with y_i for x_i ; w]           y_i = x_i * U_i (r_i x)
//   LOGIT:      the model reads e; a_k += s_k sum(b) + sum_f w_k   w: one weight a feature and task
//
// r_i scales every x_j by a number of its own, from 1. All is computed once for all tasks.
#pragma once

#include <vector>

#include "models/model.h"
#include "models/pair_fields.h"
#include "proto/job.pb.h"

namespace antiphon {

class FmInput {
 public:
  FmInput(const Fm& config, const InputShape& input, size_t tasks, BlockList& blocks);

  // The shape of what Forward makes, for the model above.
  InputShape Inner(const InputShape& input) const;
  template <typename T>
  Var<T> Forward(const Pass<T>& pass, const Var<T>& input) const;
  // Adds to the logits what LOGIT does.
  template <typename T>
  void AddToLogits(const Pass<T>& pass, const Var<T>& input, std::span<Var<T>> logits) const;

 private:
  Fm::Mode mode_;
  uint32_t linear_;
  PairFields fields_;
  BlockId kernel_ = 0;           // KERNEL: U_i one below the other
  BlockId kernel_scale_ = 0;     // KERNEL: r
  std::vector<BlockId> scales_;  // LOGIT: s
};

}  // namespace antiphon
