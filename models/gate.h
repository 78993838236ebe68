// Gate: how much of each expert a mixture takes, softmax(W x + b).
#pragma once

#include <string>

#include "models/block_list.h"
#include "models/model.h"

namespace antiphon {

class Gate {
 public:
  enum class Bias { kNo, kYes };  // the papers have none

  // Blocks `name`.weight and `name`.bias.
  Gate(const std::string& name, uint32_t inputs, uint32_t experts, Bias bias, BlockList& blocks);

  // rows x experts, each row adds up to 1.
  template <typename T>
  Var<T> Forward(const Pass<T>& pass, const Var<T>& x) const;

 private:
  static constexpr BlockId kNoBlock = ~BlockId{0};

  BlockId weight_;
  BlockId bias_;
};

}  // namespace antiphon
