// One step of each optimizer on a row or an array. See kernel_loops.h.
#pragma once

#include <cstddef>

#include "common/math/kernels.h"
#include "common/math/scalar_loops.h"

namespace antiphon {

template <InstructionSet kSet, typename T>
struct OptimizerLoops {
  using Math = ScalarLoops<kSet, T>;

  static void SgdStep(size_t n, T lr, const T* __restrict g, T* __restrict w) {
    for (size_t i = 0; i < n; ++i)
      w[i] -= lr * g[i];
  }
  static void MomentumStep(size_t n, T lr, T mu, const T* __restrict g, T* __restrict w,
                           T* __restrict m) {
    for (size_t i = 0; i < n; ++i) {
      m[i] = mu * m[i] + g[i];
      w[i] -= lr * m[i];
    }
  }
  static void AdagradRow(size_t n, T lr, T eps, const T* __restrict g, T* __restrict w,
                         T* __restrict acc) {
    for (size_t i = 0; i < n; ++i) {
      acc[i] += g[i] * g[i];
      w[i] -= lr * g[i] / (Math::Sqrt(acc[i]) + eps);
    }
  }
  static void RowwiseAdagradRow(size_t n, T lr, T eps, const T* __restrict g, T* __restrict w,
                                T* __restrict acc) {
    if (n == 0)
      return;
    *acc += static_cast<T>(Math::Dot(n, g, g) / static_cast<double>(n));
    const T step = lr / (Math::Sqrt(*acc) + eps);
    for (size_t i = 0; i < n; ++i)
      w[i] -= step * g[i];
  }
  static void AdamStep(size_t n, const AdamRates& rates, const T* __restrict g, T* __restrict w,
                       T* __restrict m, T* __restrict v) {
    const AdamRates r = rates;
    for (size_t i = 0; i < n; ++i) {
      m[i] = r.beta1 * m[i] + (1 - r.beta1) * g[i];
      v[i] = r.beta2 * v[i] + (1 - r.beta2) * g[i] * g[i];
      w[i] = r.keep * w[i] - r.rate * m[i] / (r.root_scale * Math::Sqrt(v[i]) + r.epsilon);
    }
  }

  // z and acc after gradient g on weight w. The difference of the roots is written as a quotient:
  // subtracting them would lose the digits of a small g.
  static void FtrlAccumulate(T inverse_alpha, T g, T w, T& z, T& acc) {
    const T square = g * g;
    const T next = acc + square;
    const T roots = Math::Sqrt(next) + Math::Sqrt(acc);
    const T sigma = roots > 0 ? square / roots * inverse_alpha : T{0};
    z += g - sigma * w;
    acc = next;
  }
  static void FtrlStep(size_t n, const FtrlRates& rates, const T* __restrict g, T* __restrict w,
                       T* __restrict z, T* __restrict acc) {
    const FtrlRates r = rates;
    for (size_t i = 0; i < n; ++i) {
      FtrlAccumulate(r.inverse_alpha, g[i], w[i], z[i], acc[i]);
      const T excess = z[i] > 0 ? z[i] - r.l1 : z[i] + r.l1;
      const T weight = -excess / (Math::Sqrt(acc[i]) * r.inverse_alpha + r.offset);
      w[i] = Math::Abs(z[i]) <= r.l1 ? T{0} : weight;
    }
  }
  static void GroupFtrlRow(size_t n, const FtrlRates& rates, const T* __restrict g, T* __restrict w,
                           T* __restrict z, T* __restrict acc) {
    const FtrlRates r = rates;
    for (size_t i = 0; i < n; ++i)
      FtrlAccumulate(r.inverse_alpha, g[i], w[i], z[i], acc[i]);
    const T norm = Math::Sqrt(static_cast<T>(Math::Dot(n, z, z)));
    const T shrink = norm <= r.l1 ? T{0} : (norm - r.l1) / norm;
    for (size_t i = 0; i < n; ++i) {
      w[i] = -z[i] * shrink / (Math::Sqrt(acc[i]) * r.inverse_alpha + r.offset);
    }
  }
};

}  // namespace antiphon
