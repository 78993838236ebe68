// The text of every kernel, written so that the compiler turns each loop into vector instructions.
//
// These are templates over the instruction set for one reason: each of kernels_generic.cc,
// kernels_avx2.cc and kernels_avx512.cc is compiled with other flags, and functions of the same
// name would be merged by the linker into one of them. Nothing here may call an inline function or
// template of another header for the same reason; only compiler builtins and calls into libm.
#pragma once

#include <cstddef>

#include "common/math/kernels.h"
#include "common/math/optimizer_loops.h"
#include "common/math/scalar_loops.h"

namespace antiphon {

template <InstructionSet kSet, typename T>
struct KernelLoops {
  using Math = ScalarLoops<kSet, T>;
  using Steps = OptimizerLoops<kSet, T>;

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

  static void SigmoidRange(size_t n, const T* x, T* y) {
#pragma GCC ivdep
    for (size_t i = 0; i < n; ++i)
      y[i] = Math::Sigmoid(x[i]);
  }

  template <Activation kActivation>
  static T Activate(T x) {
    if constexpr (kActivation == Activation::kRelu) {
      return Math::Max(x, 0);
    } else if constexpr (kActivation == Activation::kSigmoid) {
      return Math::Sigmoid(x);
    } else if constexpr (kActivation == Activation::kTanh) {
      return Math::Tanh(x);
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
        largest = Math::Max(largest, x[c]);
      for (size_t c = 0; c < cols; ++c)
        x[c] = Math::Exp(x[c] - largest);
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
      const T error = Math::Sigmoid(known ? logit[i] : T{0}) - (known ? label[i] : T{0});
      grad[i] += scale * weight[i] * error;
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
      .dot = Math::Dot,
      .sum = Math::Sum,
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
      .sgd_step = Steps::SgdStep,
      .momentum_step = Steps::MomentumStep,
      .adagrad_row = Steps::AdagradRow,
      .rowwise_adagrad_row = Steps::RowwiseAdagradRow,
      .adam_step = Steps::AdamStep,
      .ftrl_step = Steps::FtrlStep,
      .group_ftrl_row = Steps::GroupFtrlRow,
  };
}

}  // namespace antiphon
