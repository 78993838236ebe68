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

  const std::vector<BlockSpec>& specs() const { return specs_; }

 private:
  BlockSpec& Add(const std::string& name, uint32_t rows, uint32_t cols);

  std::vector<BlockSpec> specs_;  // without optimizers
};

}  // namespace antiphon
