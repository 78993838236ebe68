#include "models/block_list.h"

#include <cmath>

namespace antiphon {

BlockSpec& BlockList::Add(const std::string& name, uint32_t rows, uint32_t cols) {
  BlockSpec& spec = specs_.emplace_back();
  spec.set_name(name);
  spec.set_rows(rows);
  spec.set_cols(cols);
  return spec;
}

BlockId BlockList::AddWeights(const std::string& name, uint32_t inputs, uint32_t outputs,
                              uint32_t stack) {
  BlockSpec& spec = Add(name, stack * outputs, inputs);
  const double limit = std::sqrt(6.0 / (static_cast<double>(inputs) + outputs));
  UniformInitializer& uniform = *spec.mutable_initializer()->mutable_uniform_initializer();
  uniform.set_minval(static_cast<float>(-limit));
  uniform.set_maxval(static_cast<float>(limit));
  return static_cast<BlockId>(specs_.size() - 1);
}

BlockId BlockList::AddVector(const std::string& name, uint32_t size, float value) {
  BlockSpec& spec = Add(name, 1, size);
  spec.mutable_initializer()->mutable_constant_initializer()->set_value(value);
  return static_cast<BlockId>(specs_.size() - 1);
}

}  // namespace antiphon
