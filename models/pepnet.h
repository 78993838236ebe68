// PEPNet, parameter and embedding personalised network (Chang et al., KDD 2023): gates that bend
// one model for every scene and every user, on the input and on each layer of the towers.
//
//   o       = gate_e([dom ; sg(e)]) * e                        EPNet: dom, what is known of the
//   scene d_l     = gate_l([prior ; sg(o)])                          PPNet: prior, who and what
//   meet h_l+1,k = relu(W (d_l,k * h_l,k) + b),  h_0,k = o          d_l holds a part for every task
//   a_k     = the last layer, linear
//
// sg: gates do not train the embeddings that the model itself learns; those of dom and prior they
// do. All gates start at 1. It has no part of single scenes: a new scene is a new row of dom.
#pragma once

#include <vector>

#include "models/gate_nu.h"
#include "models/input_columns.h"
#include "models/mlp.h"
#include "models/model.h"
#include "proto/job.pb.h"

namespace antiphon {

template <typename T>
class PepNetModel final : public Model<T> {
 public:
  PepNetModel(const PepNet& config, const InputShape& input, BlockList& blocks);

  static void Check(const PepNet& config, const ModelChecks& checks);
  static SharedPart Shares(const PepNet&) { return SharedPart::kOutput; }

  void Forward(const Pass<T>& pass, const Var<T>& input, std::span<Var<T>> logits) const override;

 private:
  InputColumns domain_;
  InputColumns prior_;
  InputColumns main_;
  GateNu input_gate_;
  std::vector<Tower> towers_;
  std::vector<GateNu> layer_gates_;
};

}  // namespace antiphon
