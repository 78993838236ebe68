// SharedLayer: the last layer that all tasks share, as a forward pass left it on the tape. Where
// that is no linear layer there is only its output: what the towers of all tasks read.
//
// Whoever asks a model for it (Pass::shared) can go back task by task from the losses down to its
// output, and from there once for all.
#pragma once

#include <cstdint>

#include "models/tape/tape.h"

namespace antiphon {

// What the tasks of a model share last: embeddings alone, a layer with weights, or a matrix that
// all towers read and no weights make.
enum class SharedPart : uint8_t { kNone, kWeights, kOutput };

template <typename T>
struct SharedLayer {
  // Set by who asks: the gradient of the weights is its own to find (GradientProbe), so that the
  // layer leaves it out.
  bool weight_is_probed = false;
  Var<T> input = {};
  Var<T> weight = {};
  Var<T> output = {};  // after the activation that the layer applies on its way
  uint32_t stack = 1;  // networks side by side in the output
  // Whether all of them read the whole input, or each its own columns.
  bool reads_whole_input = true;
  Activation activation = Activation::kLinear;
  TapeMark above = {};  // everything that reads the output was recorded after it
};

}  // namespace antiphon
