// PassGradient: the way back through an op whose result holds its argument, or a multiple of it.
#pragma once

#include "models/tape/tape.h"

namespace antiphon {

// Adds `factor` times the gradient of `from` to that of `to`, which has its shape, if it is wanted.
template <typename T>
void PassGradient(Tape<T>& tape, const Var<T>& from, const Var<T>& to, T factor = 1) {
  if (!tape.Wants(to)) {
    return;
  }
  T* grad = tape.Grad(to);
  for (size_t r = 0; r < from.rows; ++r) {
    tape.kernels().axpy(from.cols, factor, from.grad + r * from.stride, grad + r * to.stride);
  }
}

}  // namespace antiphon
