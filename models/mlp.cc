#include "models/mlp.h"

#include "common/base/hash.h"
#include "models/tape/column_ops.h"
#include "models/tape/linear_ops.h"

namespace antiphon {
namespace {

// What a linear layer can apply on its way; anything else comes after it.
Activation FusedActivation(LayerActivation activation) {
  switch (activation) {
    case LayerActivation::kRelu:
      return Activation::kRelu;
    case LayerActivation::kSigmoid:
      return Activation::kSigmoid;
    case LayerActivation::kTanh:
      return Activation::kTanh;
    case LayerActivation::kLinear:
    case LayerActivation::kPRelu:
      return Activation::kLinear;
  }
  return Activation::kLinear;
}

float DropoutOf(const DNN& config, int layer) {
  if (config.dropout_ratio_size() == 0) {
    return 0;
  }
  return config.dropout_ratio(config.dropout_ratio_size() == 1 ? 0 : layer);
}

}  // namespace

Mlp::Mlp(const std::string& name, uint32_t inputs, const DNN& config, uint32_t stack,
         BlockList& blocks)
    : stack_(stack), outputs_(inputs) {
  CHECK(config.hidden_units_size() > 0 || stack == 1);
  for (int i = 0; i < config.hidden_units_size(); ++i) {
    const std::string prefix = name + "." + std::to_string(i);
    const uint32_t units = config.hidden_units(i);
    Layer layer;
    layer.inputs = outputs_;
    layer.weight = blocks.AddWeights(prefix + ".weight", outputs_, units, stack);
    layer.bias = blocks.AddVector(prefix + ".bias", stack * units, 0);
    if (config.use_ln()) {
      layer.norm_gamma = blocks.AddVector(prefix + ".norm_gamma", stack * units, 1);
      layer.norm_beta = blocks.AddVector(prefix + ".norm_beta", stack * units, 0);
    }
    layer.activation = ParseActivation(config.activation()).value_or(LayerActivation::kRelu);
    if (layer.activation == LayerActivation::kPRelu) {
      layer.slope = blocks.AddVector(prefix + ".slope", stack * units, 0.25F);
    }
    layer.dropout = DropoutOf(config, i);
    layers_.push_back(layer);
    outputs_ = units;
  }
}

template <typename T>
Var<T> Mlp::ForwardLayer(const Pass<T>& pass, size_t index, const Var<T>& x,
                         SharedLayer<T>* shared) const {
  const Layer& layer = layers_[index];
  const Activation fused = FusedActivation(layer.activation);
  const bool norm = layer.norm_gamma != kNoBlock;
  const Activation on_the_way = norm ? Activation::kLinear : fused;
  // The networks of a stack share the first layer's input; above it each has its own columns.
  const uint32_t count = index == 0 ? 1 : stack_;
  const bool is_shared = shared != nullptr && index + 1 == layers_.size();
  const bool is_probed = is_shared && shared->weight_is_probed;
  const Var<T>& weight = pass.block(layer.weight);
  Var<T> y = StackedLinear(pass.tape, x, is_probed ? StopGradient(weight) : weight,
                           pass.block(layer.bias), count, on_the_way);
  if (is_shared) {
    *shared = {.weight_is_probed = is_probed,
               .input = x,
               .weight = weight,
               .output = y,
               .stack = stack_,
               .reads_whole_input = count == 1,
               .activation = on_the_way,
               .above = pass.tape.Mark()};
  }
  if (norm) {
    y = LayerNorm(pass.tape, y, pass.block(layer.norm_gamma), pass.block(layer.norm_beta), stack_);
    if (fused != Activation::kLinear) {
      y = Activate(pass.tape, y, fused);
    }
  }
  if (layer.slope != kNoBlock) {
    y = PRelu(pass.tape, y, pass.block(layer.slope));
  }
  if (layer.dropout > 0 && pass.purpose == Pass<T>::Purpose::kTrain) {
    const DropoutSeed seed{.seed = Mix64(pass.dropout.seed, layer.weight),
                           .first_row = pass.dropout.first_row};
    y = Dropout(pass.tape, y, layer.dropout, seed);
  }
  return y;
}

template <typename T>
Var<T> Mlp::Forward(const Pass<T>& pass, const Var<T>& x, SharedLayer<T>* shared) const {
  Var<T> y = x;
  for (size_t i = 0; i < layers_.size(); ++i) {
    y = ForwardLayer(pass, i, y, shared);
  }
  return y;
}

Tower::Tower(const std::string& name, uint32_t inputs, const DNN& config, BlockList& blocks,
             Start start)
    : hidden_(name, inputs, config, 1, blocks),
      weight_(start == Start::kRandom
                  ? blocks.AddWeights(name + ".logit.weight", hidden_.outputs(), 1, 1)
                  : blocks.AddEqualWeights(name + ".logit.weight", hidden_.outputs(), 1, 0)),
      bias_(blocks.AddVector(name + ".logit.bias", 1, 0)) {}

Tower::Tower(const TaskTower& task, uint32_t inputs, BlockList& blocks)
    : Tower(task.tower_name(), inputs, task.dnn(), blocks) {
  isolation_ = task.isolate();
}

template <typename T>
Var<T> Tower::ForwardLayer(const Pass<T>& pass, size_t layer, const Var<T>& x) const {
  if (layer < hidden_.layer_count()) {
    return hidden_.ForwardLayer(pass, layer, x);
  }
  return Linear(pass.tape, x, pass.block(weight_), pass.block(bias_), Activation::kLinear);
}

template <typename T>
Var<T> Tower::Forward(const Pass<T>& pass, const Var<T>& x) const {
  return ForwardLayer(pass, hidden_.layer_count(), hidden_.Forward(pass, x));
}

template Var<float> Mlp::Forward(const Pass<float>&, const Var<float>&, SharedLayer<float>*) const;
template Var<double> Mlp::Forward(const Pass<double>&, const Var<double>&,
                                  SharedLayer<double>*) const;
template Var<float> Mlp::ForwardLayer(const Pass<float>&, size_t, const Var<float>&,
                                      SharedLayer<float>*) const;
template Var<double> Mlp::ForwardLayer(const Pass<double>&, size_t, const Var<double>&,
                                       SharedLayer<double>*) const;
template Var<float> Tower::Forward(const Pass<float>&, const Var<float>&) const;
template Var<double> Tower::Forward(const Pass<double>&, const Var<double>&) const;
template Var<float> Tower::ForwardLayer(const Pass<float>&, size_t, const Var<float>&) const;
template Var<double> Tower::ForwardLayer(const Pass<double>&, size_t, const Var<double>&) const;

}  // namespace antiphon
