#include "models/gate.h"

#include "models/tape/linear_ops.h"

namespace antiphon {

Gate::Gate(const std::string& name, uint32_t inputs, uint32_t experts, Bias bias, BlockList& blocks)
    : weight_(blocks.AddWeights(name + ".weight", inputs, experts, 1)),
      bias_(bias == Bias::kYes ? blocks.AddVector(name + ".bias", experts, 0) : kNoBlock) {}

template <typename T>
Var<T> Gate::Forward(const Pass<T>& pass, const Var<T>& x) const {
  const Var<T> bias = bias_ == kNoBlock ? Var<T>() : pass.block(bias_);
  return Softmax(pass.tape, Linear(pass.tape, x, pass.block(weight_), bias, Activation::kLinear));
}

template Var<float> Gate::Forward(const Pass<float>&, const Var<float>&) const;
template Var<double> Gate::Forward(const Pass<double>&, const Var<double>&) const;

}  // namespace antiphon
