#include "models/gate_nu.h"

#include "models/tape/linear_ops.h"

namespace antiphon {

GateNu::GateNu(const std::string& name, uint32_t inputs, uint32_t hidden_units, uint32_t outputs,
               BlockList& blocks)
    : hidden_weight_(blocks.AddWeights(name + ".0.weight", inputs, hidden_units, 1)),
      hidden_bias_(blocks.AddVector(name + ".0.bias", hidden_units, 0)),
      weight_(blocks.AddEqualWeights(name + ".1.weight", hidden_units, outputs, 0)),
      bias_(blocks.AddVector(name + ".1.bias", outputs, 0)) {}

template <typename T>
Var<T> GateNu::Forward(const Pass<T>& pass, const Var<T>& x) const {
  const Var<T> hidden =
      Linear(pass.tape, x, pass.block(hidden_weight_), pass.block(hidden_bias_), Activation::kRelu);
  const Var<T> half =
      Linear(pass.tape, hidden, pass.block(weight_), pass.block(bias_), Activation::kSigmoid);
  return Scale(pass.tape, half, T{2});
}

template Var<float> GateNu::Forward(const Pass<float>&, const Var<float>&) const;
template Var<double> GateNu::Forward(const Pass<double>&, const Var<double>&) const;

}  // namespace antiphon
