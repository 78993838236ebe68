// From a batch whose rows are at hand to the inputs of model.onnx, by the code that gathers the
// trainer's input (models/input_layout.h). Owned by one thread.
#pragma once

#include <vector>

#include "common/math/gemm.h"
#include "models/input_layout.h"
#include "models/step.h"
#include "models/tape/tape.h"
#include "serving/library/serving.h"

namespace antiphon {

class TensorAssembly {
 public:
  // `has_scene`: the graph has an input for it.
  TensorAssembly(InputLayout layout, bool has_scene);

  std::vector<serving::Tensor> Assemble(const StepInput& input);

 private:
  serving::Tensor Scenes(const Batch& batch) const;
  // Items, and the rows that they are of.
  void AddItems(const StepInput& input, const InputLayout::Sequence& sequence,
                std::vector<serving::Tensor>& tensors) const;

  const InputLayout layout_;
  const bool has_scene_;
  const Gemm gemm_;
  Tape<float> tape_;
  std::vector<uint32_t> rows_;
};

}  // namespace antiphon
