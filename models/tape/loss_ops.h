// Losses: where a backward pass begins.
//
// A target is one label and one weight a row; weight 0 means that the row takes no part, its label
// is not looked at. The returned value is the plain weighted sum. What the gradient is multiplied
// with (task weight over divisor) is read when Backward runs: a second pass may use another.
#pragma once

#include "models/tape/tape.h"

namespace antiphon {

template <typename T>
struct Target {
  const T* label = nullptr;
  const T* weight = nullptr;
};

// sum_b w l(y, a) with l = softplus(a) - y a; `logit` has one column.
template <typename T>
double LogLoss(Tape<T>& tape, const Var<T>& logit, const Target<T>& target, const T* scale);

// The log loss of P = sigmoid(a) sigmoid(c), the probability that both of two steps happen (Ma et
// al. 2018, eq. 3). 1 - P is taken as sigmoid(-a) + sigmoid(a) sigmoid(-c), never as a difference.
// With `a` from StopGradient the first step does not learn from it.
template <typename T>
double ProductLogLoss(Tape<T>& tape, const Var<T>& a, const Var<T>& c, const Target<T>& target,
                      const T* scale);

// log P - log(1 - P) of the same P.
double ProductLogit(double a, double c);

}  // namespace antiphon
