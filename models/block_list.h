// BlockList: the dense blocks that a model asks for while it is built, in order: BlockId is the
// index. One description serves the servers' schema and the worker's forward pass.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/types.h"
#include "proto/parameters.pb.h"

namespace antiphon {

class BlockList {
 public:
  // Weights of a layer, [outputs x inputs] or `stack` of them one below the other: Xavier-uniform,
  // U(-r, r) with r = sqrt(6 / (inputs + outputs)) (Glorot and Bengio 2010).
  BlockId AddWeights(const std::string& name, uint32_t inputs, uint32_t outputs, uint32_t stack);
  // One row of `size` equal values.
  BlockId AddVector(const std::string& name, uint32_t size, float value);
  // As AddWeights for one layer, all of them `value`: with 0 a layer that says nothing until it has
  // learned something.
  BlockId AddEqualWeights(const std::string& name, uint32_t inputs, uint32_t outputs, float value);
  // One row of sums that a pass counts into the gradient, see DecayedSums. They start at 0.
  BlockId AddStatistics(const std::string& name, uint32_t size, float decay);
  // What holds the weights of the rule's tasks, all 1 at first.
  BlockId AddTaskWeights(const LossBalance& rule);

  // A change to block `id` that starts at `value`: of the same shape, called `name`.
  BlockId AddLike(BlockId id, const std::string& name, float value);

  // From AddWeights or AddEqualWeights: not a vector of one number an output.
  bool is_weights(BlockId id) const { return is_weights_[id] != 0; }
  // How many there are, so the id of the next one.
  BlockId size() const { return static_cast<BlockId>(specs_.size()); }
  // Without optimizers, but for statistics.
  const std::vector<BlockSpec>& specs() const { return specs_; }

 private:
  enum class Kind : uint8_t { kVector, kWeights };
  BlockId Add(const std::string& name, uint32_t rows, uint32_t cols, Kind kind);

  std::vector<BlockSpec> specs_;
  std::vector<uint8_t> is_weights_;
};

}  // namespace antiphon
