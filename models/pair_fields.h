// PairFields: the embeddings that a factorisation machine multiplies with each other, one a
// categorical feature, all of one width. Frozen.
#pragma once

#include <cstdint>
#include <vector>

#include "models/model.h"

namespace antiphon {

class PairFields {
 public:
  explicit PairFields(const InputShape& input);

  // At least two categorical features, whose embedding_dim is the same.
  static void Check(const ModelChecks& checks);

  // sum_{i<j} x_i * x_j, rows x dim.
  template <typename T>
  Var<T> Products(const Pass<T>& pass, const Var<T>& input) const;
  // The embeddings side by side.
  template <typename T>
  Var<T> Embeddings(const Pass<T>& pass, const Var<T>& input) const;
  // The columns [first, width) of the input with the embeddings replaced by the columns of `by`;
  // without `by` they are left out. Empty when nothing is left.
  template <typename T>
  Var<T> Replace(const Pass<T>& pass, const Var<T>& input, uint32_t first, const Var<T>& by) const;

  uint32_t count() const { return static_cast<uint32_t>(begins_.size()); }
  uint32_t dim() const { return dim_; }

 private:
  std::vector<uint32_t> begins_;  // in the input, ascending
  uint32_t dim_ = 0;
};

}  // namespace antiphon
