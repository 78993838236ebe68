// The text of every kernel, written so that the compiler turns each loop into vector instructions.
//
// KernelLoops is a template over the instruction set for one reason: each of kernels_generic.cc,
// kernels_avx2.cc and kernels_avx512.cc is compiled with other flags, and functions of the same
// name would be merged by the linker into one of them. Nothing here may call an inline function or
// template of another header for the same reason; only compiler builtins and calls into libm.
//
// Sums run in kLanes independent accumulators, which gives the vectoriser its freedom without
// letting it reorder anything: a table always gives the same bits for the same input.
#pragma once

#include <cstddef>

#include "common/math/kernels.h"

namespace antiphon {

template <InstructionSet kSet, typename T>
struct KernelLoops {
  static constexpr size_t kLanes = 16;

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
      float power;
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

  static void Add(size_t n, const T* __restrict x, T* __restrict y) {
    for (size_t i = 0; i < n; ++i)
      y[i] += x[i];
  }
  static void Axpy(size_t n, T a, const T* __restrict x, T* __restrict y) {
    for (size_t i = 0; i < n; ++i)
      y[i] += a * x[i];
  }
  static void Scale(size_t n, T a, T* __restrict x) {
    for (size_t i = 0; i < n; ++i)
      x[i] *= a;
  }
  static void Multiply(size_t n, const T* __restrict x, const T* __restrict y, T* __restrict z) {
    for (size_t i = 0; i < n; ++i)
      z[i] = x[i] * y[i];
  }
  static void MultiplyAdd(size_t n, const T* __restrict x, const T* __restrict y, T* __restrict z) {
    for (size_t i = 0; i < n; ++i)
      z[i] += x[i] * y[i];
  }

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
  static void SigmoidRange(size_t n, const T* x, T* y) {
#pragma GCC ivdep
    for (size_t i = 0; i < n; ++i)
      y[i] = Sigmoid(x[i]);
  }

  template <Activation kActivation>
  static T Activate(T x) {
    if constexpr (kActivation == Activation::kRelu) {
      return Max(x, 0);
    } else if constexpr (kActivation == Activation::kSigmoid) {
      return Sigmoid(x);
    } else if constexpr (kActivation == Activation::kTanh) {
      return Tanh(x);
    } else {
      return x;
    }
  }
  // f'(x) as a function of y = f(x).
  template <Activation kActivation>
  static T Slope(T y) {
    if constexpr (kActivation == Activation::kRelu) {
      return y > 0 ? T{1} : T{0};
    } else if constexpr (kActivation == Activation::kSigmoid) {
      return y * (1 - y);
    } else if constexpr (kActivation == Activation::kTanh) {
      return 1 - y * y;
    } else {
      return T{1};
    }
  }
  template <Activation kActivation>
  static void BiasActivate(size_t rows, size_t cols, size_t stride, const T* __restrict bias,
                           T* __restrict y) {
    for (size_t r = 0; r < rows; ++r, y += stride) {
      if (bias != nullptr) {
        for (size_t c = 0; c < cols; ++c)
          y[c] = Activate<kActivation>(y[c] + bias[c]);
      } else if (kActivation != Activation::kLinear) {
        for (size_t c = 0; c < cols; ++c)
          y[c] = Activate<kActivation>(y[c]);
      }
    }
  }
  template <Activation kActivation>
  static void ActivateBackward(size_t rows, size_t cols, size_t stride, const T* __restrict y,
                               T* __restrict dy, T* __restrict bias_grad) {
    for (size_t r = 0; r < rows; ++r, y += stride, dy += stride) {
      if (kActivation != Activation::kLinear) {
        for (size_t c = 0; c < cols; ++c)
          dy[c] *= Slope<kActivation>(y[c]);
      }
      if (bias_grad != nullptr) {
        for (size_t c = 0; c < cols; ++c)
          bias_grad[c] += dy[c];
      }
    }
  }

  static void SoftmaxRows(size_t rows, size_t cols, size_t stride, T* __restrict x) {
    for (size_t r = 0; r < rows; ++r, x += stride) {
      T largest = cols > 0 ? x[0] : T{0};
      for (size_t c = 1; c < cols; ++c)
        largest = Max(largest, x[c]);
      for (size_t c = 0; c < cols; ++c)
        x[c] = Exp(x[c] - largest);
      T total = 0;
      for (size_t c = 0; c < cols; ++c)
        total += x[c];
      const T inverse = 1 / total;
      for (size_t c = 0; c < cols; ++c)
        x[c] *= inverse;
    }
  }
  static void SoftmaxRowsBackward(size_t rows, size_t cols, size_t stride, const T* __restrict y,
                                  const T* __restrict dy, T* __restrict dx) {
    for (size_t r = 0; r < rows; ++r, y += stride, dy += stride, dx += stride) {
      T mean = 0;
      for (size_t c = 0; c < cols; ++c)
        mean += y[c] * dy[c];
      for (size_t c = 0; c < cols; ++c)
        dx[c] += y[c] * (dy[c] - mean);
    }
  }

  // Logits are one a sample and task, few beside the layers: plain loops with libm's log1p.
  static double LogLoss(size_t n, const T* __restrict logit, const T* __restrict label,
                        const T* __restrict weight) {
    double total = 0;
    for (size_t i = 0; i < n; ++i) {
      if (weight[i] != 0) {
        const double a = logit[i];
        const double softplus = (a > 0 ? a : 0) + __builtin_log1p(__builtin_exp(a > 0 ? -a : a));
        total += weight[i] * (softplus - label[i] * a);
      }
    }
    return total;
  }
  static void LogLossBackward(size_t n, T scale, const T* __restrict logit,
                              const T* __restrict label, const T* __restrict weight,
                              T* __restrict grad) {
    for (size_t i = 0; i < n; ++i) {
      const bool known = weight[i] != 0;
      const T error = Sigmoid(known ? logit[i] : T{0}) - (known ? label[i] : T{0});
      grad[i] += scale * weight[i] * error;
    }
  }

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
      w[i] -= lr * g[i] / (Sqrt(acc[i]) + eps);
    }
  }
  static void RowwiseAdagradRow(size_t n, T lr, T eps, const T* __restrict g, T* __restrict w,
                                T* __restrict acc) {
    if (n == 0)
      return;
    *acc += static_cast<T>(Dot(n, g, g) / static_cast<double>(n));
    const T step = lr / (Sqrt(*acc) + eps);
    for (size_t i = 0; i < n; ++i)
      w[i] -= step * g[i];
  }
  static void AdamStep(size_t n, const AdamRates& rates, const T* __restrict g, T* __restrict w,
                       T* __restrict m, T* __restrict v) {
    const AdamRates r = rates;
    for (size_t i = 0; i < n; ++i) {
      m[i] = r.beta1 * m[i] + (1 - r.beta1) * g[i];
      v[i] = r.beta2 * v[i] + (1 - r.beta2) * g[i] * g[i];
      w[i] = r.keep * w[i] - r.rate * m[i] / (r.root_scale * Sqrt(v[i]) + r.epsilon);
    }
  }

  // z and acc after gradient g on weight w. The difference of the roots is written as a quotient:
  // subtracting them would lose the digits of a small g.
  static void FtrlAccumulate(T inverse_alpha, T g, T w, T& z, T& acc) {
    const T square = g * g;
    const T next = acc + square;
    const T roots = Sqrt(next) + Sqrt(acc);
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
      const T weight = -excess / (Sqrt(acc[i]) * r.inverse_alpha + r.offset);
      w[i] = Abs(z[i]) <= r.l1 ? T{0} : weight;
    }
  }
  static void GroupFtrlRow(size_t n, const FtrlRates& rates, const T* __restrict g, T* __restrict w,
                           T* __restrict z, T* __restrict acc) {
    const FtrlRates r = rates;
    for (size_t i = 0; i < n; ++i)
      FtrlAccumulate(r.inverse_alpha, g[i], w[i], z[i], acc[i]);
    const T norm = Sqrt(static_cast<T>(Dot(n, z, z)));
    const T shrink = norm <= r.l1 ? T{0} : (norm - r.l1) / norm;
    for (size_t i = 0; i < n; ++i) {
      w[i] = -z[i] * shrink / (Sqrt(acc[i]) * r.inverse_alpha + r.offset);
    }
  }

  static constexpr KernelTable<T> Table();
};

template <InstructionSet kSet, typename T>
constexpr KernelTable<T> KernelLoops<kSet, T>::Table() {
  return {
      .instruction_set = kSet,
      .add = Add,
      .axpy = Axpy,
      .scale = Scale,
      .multiply = Multiply,
      .multiply_add = MultiplyAdd,
      .dot = Dot,
      .sum = Sum,
      .sigmoid = SigmoidRange,
      .bias_activate = {BiasActivate<Activation::kLinear>, BiasActivate<Activation::kRelu>,
                        BiasActivate<Activation::kSigmoid>, BiasActivate<Activation::kTanh>},
      .activate_backward = {ActivateBackward<Activation::kLinear>,
                            ActivateBackward<Activation::kRelu>,
                            ActivateBackward<Activation::kSigmoid>,
                            ActivateBackward<Activation::kTanh>},
      .softmax_rows = SoftmaxRows,
      .softmax_rows_backward = SoftmaxRowsBackward,
      .log_loss = LogLoss,
      .log_loss_backward = LogLossBackward,
      .sgd_step = SgdStep,
      .momentum_step = MomentumStep,
      .adagrad_row = AdagradRow,
      .rowwise_adagrad_row = RowwiseAdagradRow,
      .adam_step = AdamStep,
      .ftrl_step = FtrlStep,
      .group_ftrl_row = GroupFtrlRow,
  };
}

}  // namespace antiphon
