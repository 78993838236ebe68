#include "models/tape/point_losses.h"

#include <algorithm>
#include <cmath>

#include "models/tape/scalar_functions.h"

namespace antiphon {
namespace {

// sum_b w value(b, a, y), with the gradient w slope(b, a, y). `value` and `slope` are pure.
template <typename T, typename Value, typename Slope>
double PointLoss(Tape<T>& tape, const Var<T>& output, const Target<T>& target, const T* scale,
                 Value value, Slope slope) {
  DCHECK(output.cols == 1 && output.contiguous());
  double loss = 0;
  for (size_t r = 0; r < output.rows; ++r) {
    if (target.weight[r] != 0) {
      loss += target.weight[r] * value(r, double{output.value[r]}, double{target.label[r]});
    }
  }
  if (TakesPart(output.rows, target)) {
    tape.RecordLoss([output, target, scale, slope](Tape<T>& t) {
      if (*scale == 0 || !t.Wants(output)) {
        return;
      }
      T* grad = t.Grad(output);
      for (size_t r = 0; r < output.rows; ++r) {
        if (target.weight[r] != 0) {
          grad[r] += static_cast<T>(double{*scale} * target.weight[r] *
                                    slope(r, double{output.value[r]}, double{target.label[r]}));
        }
      }
    });
  }
  return loss;
}

}  // namespace

template <typename T>
double SquaredLoss(Tape<T>& tape, const Var<T>& output, const Target<T>& target, const T* scale) {
  return PointLoss(
      tape, output, target, scale, [](size_t, double a, double y) { return (a - y) * (a - y); },
      [](size_t, double a, double y) { return 2 * (a - y); });
}

template <typename T>
double HuberLoss(Tape<T>& tape, const Var<T>& output, const Target<T>& target, double delta,
                 const T* scale) {
  return PointLoss(
      tape, output, target, scale,
      [delta](size_t, double a, double y) {
        const double d = std::abs(a - y);
        return d <= delta ? d * d / 2 : delta * (d - delta / 2);
      },
      [delta](size_t, double a, double y) { return std::clamp(a - y, -delta, delta); });
}

template <typename T>
double WeightedLogisticLoss(Tape<T>& tape, const Var<T>& logit, const Target<T>& target,
                            const T* scale) {
  return PointLoss(
      tape, logit, target, scale,
      [](size_t, double a, double y) { return Softplus(a) + y * Softplus(-a); },
      [](size_t, double a, double y) { return Sigmoid(a) - y * Sigmoid(-a); });
}

template <typename T>
double FakeNegativeLoss(Tape<T>& tape, const Var<T>& logit, const Target<T>& target,
                        const T* scale) {
  return PointLoss(
      tape, logit, target, scale,
      [](size_t, double a, double y) {
        const double p = Sigmoid(a);
        return y > 0 ? (1 + p) * Softplus(-a) : (1 + p) * Sigmoid(-a) * Softplus(a);
      },
      [](size_t, double a, double y) {
        const double p = Sigmoid(a);
        return y > 0 ? -(1 + p) * Sigmoid(-a) : (1 + p) * Sigmoid(-a) * p;
      });
}

template <typename T>
double ElapsedTimeLoss(Tape<T>& tape, const Var<T>& logit, const Var<T>& late_positive,
                       const Var<T>& real_negative, const Target<T>& target, const T* scale) {
  const T* late = late_positive.value;
  const T* real = real_negative.value;
  return PointLoss(
      tape, logit, target, scale,
      [late, real](size_t r, double a, double y) {
        const double weight = 1 + Sigmoid(late[r]);
        return weight * (y > 0 ? Softplus(-a) : Sigmoid(real[r]) * Softplus(a));
      },
      [late, real](size_t r, double a, double y) {
        const double weight = 1 + Sigmoid(late[r]);
        return weight * (y > 0 ? -Sigmoid(-a) : Sigmoid(real[r]) * Sigmoid(a));
      });
}

#define AP_INSTANTIATE(T)                                                                    \
  template double SquaredLoss(Tape<T>&, const Var<T>&, const Target<T>&, const T*);          \
  template double HuberLoss(Tape<T>&, const Var<T>&, const Target<T>&, double, const T*);    \
  template double WeightedLogisticLoss(Tape<T>&, const Var<T>&, const Target<T>&, const T*); \
  template double FakeNegativeLoss(Tape<T>&, const Var<T>&, const Target<T>&, const T*);     \
  template double ElapsedTimeLoss(Tape<T>&, const Var<T>&, const Var<T>&, const Var<T>&,     \
                                  const Target<T>&, const T*);
AP_INSTANTIATE(float)
AP_INSTANTIATE(double)
#undef AP_INSTANTIATE

}  // namespace antiphon
