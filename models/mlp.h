// Mlp: layers of Linear, layer norm, activation, dropout, as a DNN message of the job says; and
// Tower, an Mlp with one number on top.
//
// An Mlp may be a stack of networks of the same shape that read the same input: its result holds
// theirs side by side, and its first layer is one product for all of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/block_list.h"
#include "models/model.h"
#include "models/model_config.h"
#include "proto/job.pb.h"

namespace antiphon {

class Mlp {
 public:
  // Blocks are named `name`.0.weight, `name`.0.bias, ... Without layers it is the identity, for
  // which `stack` must be 1.
  Mlp(const std::string& name, uint32_t inputs, const DNN& config, uint32_t stack,
      BlockList& blocks);

  // With `shared` its last layer is described there, when it has one.
  template <typename T>
  Var<T> Forward(const Pass<T>& pass, const Var<T>& x, SharedLayer<T>* shared = nullptr) const;

  // Layer by layer: what Forward does, for a model that has something to say in between.
  size_t layer_count() const { return layers_.size(); }
  template <typename T>
  Var<T> ForwardLayer(const Pass<T>& pass, size_t index, const Var<T>& x,
                      SharedLayer<T>* shared = nullptr) const;

  uint32_t inputs(size_t layer) const { return layers_[layer].inputs; }
  uint32_t outputs() const { return outputs_; }  // of one network

 private:
  static constexpr BlockId kNoBlock = ~BlockId{0};

  struct Layer {
    BlockId weight = kNoBlock;
    BlockId bias = kNoBlock;
    BlockId norm_gamma = kNoBlock;  // only with use_ln
    BlockId norm_beta = kNoBlock;
    BlockId slope = kNoBlock;  // only for PReLU
    LayerActivation activation = LayerActivation::kRelu;
    float dropout = 0;
    uint32_t inputs = 0;
  };

  std::vector<Layer> layers_;
  uint32_t stack_;
  uint32_t outputs_;
};

class Tower {
 public:
  // A silent tower says 0 until it has learned something.
  enum class Start { kRandom, kSilent };
  Tower(const std::string& name, uint32_t inputs, const DNN& config, BlockList& blocks,
        Start start = Start::kRandom);
  // That of a task.
  Tower(const TaskTower& task, uint32_t inputs, BlockList& blocks);

  TaskTower::Isolation isolation() const { return isolation_; }

  // rows x 1
  template <typename T>
  Var<T> Forward(const Pass<T>& pass, const Var<T>& x) const;

  // Layer by layer; the last one is the logit.
  size_t layer_count() const { return hidden_.layer_count() + 1; }
  uint32_t inputs(size_t layer) const {
    return layer < hidden_.layer_count() ? hidden_.inputs(layer) : hidden_.outputs();
  }
  template <typename T>
  Var<T> ForwardLayer(const Pass<T>& pass, size_t layer, const Var<T>& x) const;

 private:
  TaskTower::Isolation isolation_ = TaskTower::NONE;
  Mlp hidden_;
  BlockId weight_;
  BlockId bias_;
};

}  // namespace antiphon
