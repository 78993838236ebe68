// Layers of weights on the tape: y = f(x W^T + b), one matrix product forward and two back.
//
// Weights lie as [outputs x inputs]. A stack of `count` networks of the same shape (the experts of
// a mixture) keeps its weights one below the other, [count * outputs x inputs], and its results
// side by side, so that the first layer of all of them is one product. Shapes are checked where
// they are declared; a wrong one here is a bug of ours.
#pragma once

#include "models/tape/tape.h"

namespace antiphon {

// `b` may be empty. With kRelu and its like the activation is applied on the way.
template <typename T>
Var<T> Linear(Tape<T>& tape, const Var<T>& x, const Var<T>& weight, const Var<T>& bias,
              Activation activation);

// Network i of `count` reads columns [i * inputs, ...) of x and writes [i * outputs, ...).
template <typename T>
Var<T> StackedLinear(Tape<T>& tape, const Var<T>& x, const Var<T>& weight, const Var<T>& bias,
                     uint32_t count, Activation activation);

// (x - mean) / sqrt(variance + 1e-5) * gamma + beta within each row and each of `count` groups of
// columns; gamma and beta are as long as the whole row. (Ba et al. 2016.)
template <typename T>
Var<T> LayerNorm(Tape<T>& tape, const Var<T>& x, const Var<T>& gamma, const Var<T>& beta,
                 uint32_t count);

}  // namespace antiphon
