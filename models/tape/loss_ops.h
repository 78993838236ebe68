// Losses: where a backward pass begins.
//
// A target is one label and one weight a row; weight 0 means that the row takes no part, its label
// is not looked at. The returned value is the plain weighted sum. What the gradient is multiplied
// with (task weight over divisor) is read when Backward runs: a second pass may use another. A
// scale of 0 means no gradient at all: what this loss alone reaches is then not reached.
#pragma once

#include <algorithm>
#include <cstdint>

#include "models/tape/tape.h"

namespace antiphon {

template <typename T>
struct Target {
  const T* label = nullptr;
  const T* weight = nullptr;
  const uint64_t* request = nullptr;  // what each row belongs to; only for ranking losses
};

// Whether any of the rows takes part.
template <typename T>
bool TakesPart(size_t rows, const Target<T>& target) {
  return std::any_of(target.weight, target.weight + rows, [](T weight) { return weight != 0; });
}

// sum_b w l(y, a) with l = softplus(a) - y a; `logit` has one column.
template <typename T>
double LogLoss(Tape<T>& tape, const Var<T>& logit, const Target<T>& target, const T* scale);

}  // namespace antiphon
