// The functions of one number, and the sums, that the kernels are made of. See kernel_loops.h.
#pragma once

#include <cstddef>

#include "common/math/kernels.h"

namespace antiphon {

template <InstructionSet kSet, typename T>
struct ScalarLoops {
  // e^x. In float a polynomial that vectorises: x = k ln 2 + r, |r| <= ln 2 / 2, e^r by a
  // polynomial of degree 6 (relative error 2e-7), 2^k by its bits. In double libm's.
  static T Exp(T x) {
    if constexpr (sizeof(T) == sizeof(float)) {
      x = x > 88.0F ? 88.0F : x;
      x = x < -87.0F ? -87.0F : x;
      // Adding and taking away 1.5 * 2^23 rounds to the nearest whole number.
      const float shifted = x * 1.44269504F + 12582912.0F;
      const float k = shifted - 12582912.0F;
      const float r = (x - k * 0.693359375F) + k * 2.12194440e-4F;
      float p = 1.9875691500e-4F;
      p = p * r + 1.3981999507e-3F;
      p = p * r + 8.3334519073e-3F;
      p = p * r + 4.1665795894e-2F;
      p = p * r + 1.6666665459e-1F;
      p = p * r + 5.0000001201e-1F;
      p = p * r * r + r + 1.0F;
      const int bits = (static_cast<int>(k) + 127) << 23;
      float power = 0;
      __builtin_memcpy(&power, &bits, sizeof(power));
      return p * power;
    } else {
      return __builtin_exp(x);
    }
  }
  static T Sqrt(T x) {
    if constexpr (sizeof(T) == sizeof(float)) {
      return __builtin_sqrtf(x);
    } else {
      return __builtin_sqrt(x);
    }
  }
  static T Max(T a, T b) { return a > b ? a : b; }
  static T Abs(T a) { return a < 0 ? -a : a; }
  // 1 / (1 + e^-x) without an overflow: e^-|x| lies in (0, 1].
  static T Sigmoid(T x) {
    const T e = Exp(-Abs(x));
    const T small = e / (1 + e);
    return x < 0 ? small : 1 - small;
  }
  // For x < 0 the small side must not be 1 minus something near 1, so tanh keeps its own formula.
  static T Tanh(T x) {
    if constexpr (sizeof(T) == sizeof(float)) {
      const float a = Abs(x);
      const float e = Exp(-2 * a);
      const float large = (1 - e) / (1 + e);
      const float s = x * x;
      // Near 0 the difference 1 - e has few good digits; the series up to x^7 has them all.
      const float near = x * (1 + s * (-1.0F / 3 + s * (2.0F / 15 - s * (17.0F / 315))));
      return a < 0.25F ? near : (x < 0 ? -large : large);
    } else {
      return __builtin_tanh(x);
    }
  }

  // Sums run in kLanes independent accumulators, which gives the vectoriser its freedom without
  // letting it reorder anything: a table always gives the same bits for the same input.
  static constexpr size_t kLanes = 16;
  static double FoldLanes(const double* lanes) {
    double total = 0;
    for (size_t j = 0; j < kLanes; ++j)
      total += lanes[j];
    return total;
  }
  static double Dot(size_t n, const T* __restrict x, const T* __restrict y) {
    double lanes[kLanes] = {};
    size_t i = 0;
    for (; i + kLanes <= n; i += kLanes) {
      for (size_t j = 0; j < kLanes; ++j) {
        lanes[j] += static_cast<double>(x[i + j]) * static_cast<double>(y[i + j]);
      }
    }
    double tail = 0;
    for (; i < n; ++i)
      tail += static_cast<double>(x[i]) * static_cast<double>(y[i]);
    return FoldLanes(lanes) + tail;
  }
  static double Sum(size_t n, const T* __restrict x) {
    double lanes[kLanes] = {};
    size_t i = 0;
    for (; i + kLanes <= n; i += kLanes) {
      for (size_t j = 0; j < kLanes; ++j)
        lanes[j] += static_cast<double>(x[i + j]);
    }
    double tail = 0;
    for (; i < n; ++i)
      tail += static_cast<double>(x[i]);
    return FoldLanes(lanes) + tail;
  }
};

}  // namespace antiphon
