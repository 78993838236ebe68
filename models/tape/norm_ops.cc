#include "models/tape/norm_ops.h"

#include <algorithm>
#include <cmath>

#include "models/tape/op_trace.h"

namespace antiphon {
namespace {

constexpr double kEpsilon = 1e-5;

// The sum of x and of (x - shift)^2 over a column.
template <typename T>
double ColumnSum(const Var<T>& x, size_t c) {
  double sum = 0;
  for (size_t r = 0; r < x.rows; ++r) {
    sum += x.value[r * x.stride + c];
  }
  return sum;
}
template <typename T>
double ColumnSquares(const Var<T>& x, size_t c, double shift) {
  double sum = 0;
  for (size_t r = 0; r < x.rows; ++r) {
    const double distance = x.value[r * x.stride + c] - shift;
    sum += distance * distance;
  }
  return sum;
}

template <typename T>
Moments<T> MomentsOfRows(Tape<T>& tape, const Var<T>& x) {
  T* mean = tape.template Scratch<T>(x.cols);
  T* inverse = tape.template Scratch<T>(x.cols);
  for (size_t c = 0; c < x.cols; ++c) {
    const double center = ColumnSum(x, c) / x.rows;
    const double variance = ColumnSquares(x, c, center) / x.rows;
    mean[c] = static_cast<T>(center);
    inverse[c] = static_cast<T>(1 / std::sqrt(variance + kEpsilon));
  }
  return {mean, inverse};
}

// Of one column.
struct ColumnGradient {
  double sum = 0;      // of dy: that of beta
  double product = 0;  // of dy and the normal values: that of gamma
};

template <typename T>
ColumnGradient SumColumn(const Var<T>& y, const T* unit, size_t c) {
  ColumnGradient total;
  for (size_t r = 0; r < y.rows; ++r) {
    const double dy = y.grad[r * y.stride + c];
    total.sum += dy;
    total.product += dy * unit[r * y.cols + c];
  }
  return total;
}

}  // namespace

template <typename T>
Var<T> NormalizeColumns(Tape<T>& tape, const Var<T>& x, const Var<T>& gamma, const Var<T>& beta,
                        const Moments<T>& moments) {
  const bool own = moments.mean == nullptr;
  const Moments<T> by = own ? MomentsOfRows(tape, x) : moments;
  Var<T> y = tape.New(x.rows, x.cols, x.depends | gamma.depends | beta.depends);
  T* unit = tape.template Scratch<T>(y.size());
  for (size_t r = 0; r < y.rows; ++r) {
    for (size_t c = 0; c < y.cols; ++c) {
      const T normal = (x.value[r * x.stride + c] - by.mean[c]) * by.inverse_deviation[c];
      unit[r * y.cols + c] = normal;
      y.value[r * y.stride + c] = normal * gamma.value[c] + beta.value[c];
    }
  }
  if (tape.trace() != nullptr) {
    tape.trace()->NormalizeColumns(y, x, gamma, beta, by);
  }
  tape.Record(y, [x, gamma, beta, y, unit, by, own](Tape<T>& t) {
    T* dgamma = t.GradIfWanted(gamma);
    T* dbeta = t.GradIfWanted(beta);
    T* dx = t.GradIfWanted(x);
    for (size_t c = 0; c < y.cols; ++c) {
      const ColumnGradient total = SumColumn(y, unit, c);
      if (dgamma != nullptr)
        dgamma[c] += static_cast<T>(total.product);
      if (dbeta != nullptr)
        dbeta[c] += static_cast<T>(total.sum);
      const double mean = own ? total.sum / y.rows : 0;
      const double slant = own ? total.product / y.rows : 0;
      for (size_t r = 0; dx != nullptr && r < y.rows; ++r) {
        const double slope = y.grad[r * y.stride + c] - mean - unit[r * y.cols + c] * slant;
        dx[r * x.stride + c] += static_cast<T>(slope * gamma.value[c] * by.inverse_deviation[c]);
      }
    }
  });
  return y;
}

template <typename T>
void CountMoments(Tape<T>& tape, const Var<T>& x, const Var<T>& sums) {
  DCHECK_EQ(sums.cols, 2 * x.cols + 1);
  if (sums.grad == nullptr) {
    return;
  }
  T* counted = tape.Grad(sums);
  for (size_t c = 0; c < x.cols; ++c) {
    counted[c] += static_cast<T>(ColumnSum(x, c));
    counted[x.cols + c] += static_cast<T>(ColumnSquares(x, c, 0));
  }
  counted[2 * x.cols] += static_cast<T>(x.rows);
}

template <typename T>
bool HasMoments(const Var<T>& sums) {
  return sums.value[sums.cols - 1] > 0;
}

template <typename T>
Moments<T> MomentsOf(Tape<T>& tape, const Var<T>& sums) {
  const size_t cols = sums.cols / 2;
  T* mean = tape.template Scratch<T>(cols);
  T* inverse = tape.template Scratch<T>(cols);
  const double count = sums.value[2 * cols];
  for (size_t c = 0; c < cols; ++c) {
    const double center = count > 0 ? sums.value[c] / count : 0;
    const double square = count > 0 ? sums.value[cols + c] / count : 1;
    const double variance = std::max(square - center * center, 0.0);
    mean[c] = static_cast<T>(center);
    inverse[c] = static_cast<T>(1 / std::sqrt(variance + kEpsilon));
  }
  return {mean, inverse};
}

#define AP_INSTANTIATE(T)                                                                 \
  template Var<T> NormalizeColumns(Tape<T>&, const Var<T>&, const Var<T>&, const Var<T>&, \
                                   const Moments<T>&);                                    \
  template void CountMoments(Tape<T>&, const Var<T>&, const Var<T>&);                     \
  template bool HasMoments(const Var<T>&);                                                \
  template Moments<T> MomentsOf(Tape<T>&, const Var<T>&);
AP_INSTANTIATE(float)
AP_INSTANTIATE(double)
#undef AP_INSTANTIATE

}  // namespace antiphon
