// Losses of one output and one label besides the log loss. As LogLoss: rows of weight 0 take no
// part, the returned value is the plain weighted sum, the gradient is multiplied with *scale as it
// stands when Backward runs, and a scale of 0 means no gradient at all.
#pragma once

#include "models/tape/loss_ops.h"

namespace antiphon {

// (a - y)^2
template <typename T>
double SquaredLoss(Tape<T>& tape, const Var<T>& output, const Target<T>& target, const T* scale);

// With d = a - y: d^2 / 2 where |d| <= delta, delta (|d| - delta / 2) elsewhere. (Huber 1964.)
template <typename T>
double HuberLoss(Tape<T>& tape, const Var<T>& output, const Target<T>& target, double delta,
                 const T* scale);

// softplus(a) + y softplus(-a), y >= 0: every sample is a negative of weight 1 and a positive of
// weight y. Its minimum is at exp(a) = E[y] exactly. Covington et al. (2016) leave out the negative
// of samples with y > 0, which comes to the same where those are rare.
template <typename T>
double WeightedLogisticLoss(Tape<T>& tape, const Var<T>& logit, const Target<T>& target,
                            const T* scale);

// Fake negatives weighted (Ktena et al. 2019), p = sigmoid(a) in the weights held constant:
// -(1 + p) y log p - (1 + p) (1 - p) (1 - y) log(1 - p).
template <typename T>
double FakeNegativeLoss(Tape<T>& tape, const Var<T>& logit, const Target<T>& target,
                        const T* scale);

// The log loss with positives of weight 1 + d and negatives of weight (1 + d) r, where d =
// sigmoid(late_positive) is P(positive later than the wait) and r = sigmoid(real_negative) is
// P(never positive | not yet), both held constant. (Yang et al. 2021, equations 8 to 10.)
template <typename T>
double ElapsedTimeLoss(Tape<T>& tape, const Var<T>& logit, const Var<T>& late_positive,
                       const Var<T>& real_negative, const Target<T>& target, const T* scale);

}  // namespace antiphon
