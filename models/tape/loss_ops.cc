#include "models/tape/loss_ops.h"

#include <algorithm>
#include <cmath>

namespace antiphon {
namespace {

double Sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}
double Softplus(double x) {
  return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
}

double LogProduct(double a, double c) {
  return -Softplus(-a) - Softplus(-c);
}

// log(1 - P). Where P is small log1p(-P) keeps the digits; where it is near 1 the sum does.
double LogNotProduct(double a, double c) {
  const double product = Sigmoid(a) * Sigmoid(c);
  return product < 0.5 ? std::log1p(-product) : std::log(Sigmoid(-a) + Sigmoid(a) * Sigmoid(-c));
}

template <typename T>
bool HasWeight(size_t n, const Target<T>& target) {
  return std::any_of(target.weight, target.weight + n, [](T weight) { return weight != 0; });
}

// d/da is error(a, c) (1 - sigmoid(a)), d/dc the same with c: (P - t)/(1 - P) for t = 0, 1.
double ProductError(double a, double c, double label) {
  if (label > 0) {
    return -1;
  }
  return std::exp(LogProduct(a, c) - LogNotProduct(a, c));
}

}  // namespace

template <typename T>
double LogLoss(Tape<T>& tape, const Var<T>& logit, const Target<T>& target, const T* scale) {
  DCHECK(logit.cols == 1 && logit.contiguous());
  if (HasWeight(logit.rows, target)) {
    tape.RecordLoss([logit, target, scale](Tape<T>& t) {
      if (t.Wants(logit)) {
        t.kernels().log_loss_backward(logit.rows, *scale, logit.value, target.label, target.weight,
                                      t.Grad(logit));
      }
    });
  }
  return tape.kernels().log_loss(logit.rows, logit.value, target.label, target.weight);
}

template <typename T>
double ProductLogLoss(Tape<T>& tape, const Var<T>& a, const Var<T>& c, const Target<T>& target,
                      const T* scale) {
  double loss = 0;
  for (size_t r = 0; r < a.rows; ++r) {
    if (target.weight[r] != 0) {
      const double label = target.label[r];
      loss -= target.weight[r] * (label > 0 ? LogProduct(a.value[r], c.value[r])
                                            : LogNotProduct(a.value[r], c.value[r]));
    }
  }
  if (HasWeight(a.rows, target)) {
    tape.RecordLoss([a, c, target, scale](Tape<T>& t) {
      T* da = t.Wants(a) ? t.Grad(a) : nullptr;
      T* dc = t.Wants(c) ? t.Grad(c) : nullptr;
      for (size_t r = 0; r < a.rows; ++r) {
        if (target.weight[r] == 0) {
          continue;
        }
        const double error =
            *scale * target.weight[r] * ProductError(a.value[r], c.value[r], target.label[r]);
        if (da != nullptr)
          da[r] += static_cast<T>(error * Sigmoid(-a.value[r]));
        if (dc != nullptr)
          dc[r] += static_cast<T>(error * Sigmoid(-c.value[r]));
      }
    });
  }
  return loss;
}

double ProductLogit(double a, double c) {
  return LogProduct(a, c) - LogNotProduct(a, c);
}

#define AP_INSTANTIATE(T)                                                                  \
  template double LogLoss(Tape<T>&, const Var<T>&, const Target<T>&, const T*);            \
  template double ProductLogLoss(Tape<T>&, const Var<T>&, const Var<T>&, const Target<T>&, \
                                 const T*);
AP_INSTANTIATE(float)
AP_INSTANTIATE(double)
#undef AP_INSTANTIATE

}  // namespace antiphon
