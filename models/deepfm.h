// Factorisation machine (Rendle 2010) and DeepFM (Guo et al., IJCAI 2017, equations 1 to 4), one
// for each task:
//
//   FM:      a_k = sum_f w_k[f] + v_k x + b_k + sum(b)       b = sum_{i<j} e_i * e_j
//   DeepFM:  a_k = sum_f w_k[f] + sum(b) + tower_k([e ; x])
//
// w_k[f] is the linear part of the table row of a feature's value, e_i the rest of it, x are the
// numeric features. The tower reads the same embeddings that are multiplied.
#pragma once

#include <vector>

#include "models/mlp.h"
#include "models/model.h"
#include "models/pair_fields.h"
#include "proto/job.pb.h"

namespace antiphon {

template <typename T>
class DeepFmModel final : public Model<T> {
 public:
  DeepFmModel(const FmModel& config, const InputShape& input, BlockList& blocks);
  DeepFmModel(const DeepFm& config, const InputShape& input, BlockList& blocks);

  static void Check(const FmModel& config, const ModelChecks& checks);
  static void Check(const DeepFm& config, const ModelChecks& checks);
  static RowParts Parts(const FmModel& config);
  static RowParts Parts(const DeepFm& config);

  void Forward(const Pass<T>& pass, const Var<T>& input, std::span<Var<T>> logits) const override;

 private:
  // What an FM without a tower adds to its pairs.
  struct Flat {
    BlockId weight = 0;  // of numeric features; only with some
    BlockId bias = 0;
  };

  uint32_t linear_;
  uint32_t numeric_;
  PairFields fields_;
  std::vector<Flat> flats_;    // FM: one a task
  std::vector<Tower> towers_;  // DeepFM: one a task
};

}  // namespace antiphon
