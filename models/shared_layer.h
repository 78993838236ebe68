// SharedLayer: the last layer that all tasks share, as a forward pass left it on the tape.
//
// Whoever asks a model for it (Pass::shared) can go back task by task from the losses down to its
// output, and from there once for all.
#pragma once

#include <cstdint>

#include "models/tape/tape.h"

namespace antiphon {

template <typename T>
struct SharedLayer {
  // Set by who asks: the gradient of the weights is its own to find (GradientProbe), so that the
  // layer leaves it out.
  bool weight_is_probed = false;
  Var<T> input;
  Var<T> weight;
  Var<T> output;       // after the activation that the layer applies on its way
  uint32_t stack = 1;  // networks side by side in the output
  // Whether all of them read the whole input, or each its own columns.
  bool reads_whole_input = true;
  Activation activation = Activation::kLinear;
  TapeMark above;  // everything that reads the output was recorded after it
};

}  // namespace antiphon
