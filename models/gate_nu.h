// GateNu: how much of each of its inputs a layer is to take, 0 to 2, made from something else.
// (Chang et al., KDD 2023, equation 1.)
//
//   gate(x) = 2 sigmoid(W_2 relu(W_1 x + b_1) + b_2)
//
// W_2 and b_2 start at 0: all gates are 1, and the network is the one without them.
#pragma once

#include <string>

#include "models/block_list.h"
#include "models/model.h"

namespace antiphon {

class GateNu {
 public:
  // Blocks `name`.0.weight, `name`.0.bias, `name`.1.weight, `name`.1.bias.
  GateNu(const std::string& name, uint32_t inputs, uint32_t hidden_units, uint32_t outputs,
         BlockList& blocks);

  template <typename T>
  Var<T> Forward(const Pass<T>& pass, const Var<T>& x) const;

 private:
  BlockId hidden_weight_;
  BlockId hidden_bias_;
  BlockId weight_;
  BlockId bias_;
};

}  // namespace antiphon
