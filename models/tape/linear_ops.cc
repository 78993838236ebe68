#include "models/tape/linear_ops.h"

#include <cmath>

#include "models/tape/op_trace.h"

namespace antiphon {
namespace {

constexpr double kLayerNormEpsilon = 1e-5;

// Rows [i * rows, (i + 1) * rows) of a stack of weights.
template <typename T>
MatrixView<T> Part(MatrixView<T> stack, uint32_t i, size_t rows) {
  return {stack.row(i * rows), rows, stack.cols, stack.stride};
}

template <typename T>
void StackedBackward(Tape<T>& tape, const Var<T>& x, const Var<T>& weight, const Var<T>& y,
                     uint32_t count) {
  const size_t outputs = y.cols / count;
  const size_t inputs = weight.cols;
  if (tape.Wants(weight)) {
    const T beta = tape.GradBeta(weight);
    for (uint32_t i = 0; i < count; ++i) {
      const MatrixView<const T> dy = y.grad_view().columns(i * outputs, outputs);
      tape.gemm().Multiply(Op::kTransposed, dy, Op::kPlain,
                           x.view().columns(count == 1 ? 0 : i * inputs, inputs), beta,
                           Part(weight.grad_view(), i, outputs));
    }
  }
  if (tape.Wants(x)) {
    const T beta = tape.GradBeta(x);
    for (uint32_t i = 0; i < count; ++i) {
      const MatrixView<const T> dy = y.grad_view().columns(i * outputs, outputs);
      tape.gemm().Multiply(Op::kPlain, dy, Op::kPlain, Part(weight.view(), i, outputs), beta,
                           x.grad_view().columns(i * inputs, inputs));
    }
  }
}

}  // namespace

template <typename T>
Var<T> StackedLinear(Tape<T>& tape, const Var<T>& x, const Var<T>& weight, const Var<T>& bias,
                     uint32_t count, Activation activation) {
  const size_t inputs = weight.cols;
  const size_t outputs = weight.rows / count;
  DCHECK_EQ(x.cols, inputs * count);
  Var<T> y = tape.New(x.rows, weight.rows, x.depends | weight.depends | bias.depends);
  const MatrixView<T> out{y.value, y.rows, y.cols, y.stride};
  for (uint32_t i = 0; i < count; ++i) {
    tape.gemm().Multiply(Op::kPlain, x.view().columns(i * inputs, inputs), Op::kTransposed,
                         Part(weight.view(), i, outputs), 0, out.columns(i * outputs, outputs));
  }
  const size_t f = static_cast<size_t>(activation);
  tape.kernels().bias_activate[f](y.rows, y.cols, y.stride, bias.value, y.value);
  if (tape.trace() != nullptr) {
    tape.trace()->StackedLinear(y, x, weight, bias, count, activation);
  }
  tape.Record(y, [x, weight, bias, y, count, f](Tape<T>& t) {
    T* bias_grad = bias ? t.GradIfWanted(bias) : nullptr;
    t.kernels().activate_backward[f](y.rows, y.cols, y.stride, y.value, y.grad, bias_grad);
    StackedBackward(t, x, weight, y, count);
  });
  return y;
}

template <typename T>
Var<T> Linear(Tape<T>& tape, const Var<T>& x, const Var<T>& weight, const Var<T>& bias,
              Activation activation) {
  return StackedLinear(tape, x, weight, bias, 1, activation);
}

template <typename T>
Var<T> LayerNorm(Tape<T>& tape, const Var<T>& x, const Var<T>& gamma, const Var<T>& beta,
                 uint32_t count) {
  const size_t width = x.cols / count;
  Var<T> y = tape.New(x.rows, x.cols, x.depends | gamma.depends | beta.depends);
  T* normal = tape.template Scratch<T>(y.size());  // (x - mean) / deviation
  T* inverse = tape.template Scratch<T>(size_t{x.rows} * count);
  for (size_t i = 0; i < size_t{x.rows} * count; ++i) {
    const size_t column = i % count * width;
    const T* in = x.value + i / count * x.stride + column;
    T* unit = normal + i * width;
    T* out = y.value + i * width;
    const double mean = tape.kernels().sum(width, in) / static_cast<double>(width);
    double variance = 0;
    for (size_t c = 0; c < width; ++c) {
      variance += (in[c] - mean) * (in[c] - mean);
    }
    variance /= static_cast<double>(width);
    inverse[i] = static_cast<T>(1 / std::sqrt(variance + kLayerNormEpsilon));
    for (size_t c = 0; c < width; ++c) {
      unit[c] = (in[c] - static_cast<T>(mean)) * inverse[i];
      out[c] = unit[c] * gamma.value[column + c] + beta.value[column + c];
    }
  }
  if (tape.trace() != nullptr) {
    tape.trace()->LayerNorm(y, x, gamma, beta, count);
  }
  tape.Record(y, [x, gamma, beta, y, normal, inverse, count, width](Tape<T>& t) {
    T* dgamma = t.GradIfWanted(gamma);
    T* dbeta = t.GradIfWanted(beta);
    T* dx = t.GradIfWanted(x);
    for (size_t i = 0; i < size_t{x.rows} * count; ++i) {
      const size_t column = i % count * width;
      const T* unit = normal + i * width;
      const T* dy = y.grad + i * width;
      double sum = 0;
      double product = 0;
      for (size_t c = 0; c < width; ++c) {
        const T slope = dy[c] * gamma.value[column + c];
        sum += slope;
        product += slope * unit[c];
      }
      if (dgamma != nullptr) {
        t.kernels().multiply_add(width, dy, unit, dgamma + column);
      }
      if (dbeta != nullptr) {
        t.kernels().add(width, dy, dbeta + column);
      }
      if (dx == nullptr) {
        continue;
      }
      const T mean = static_cast<T>(sum / static_cast<double>(width));
      const T slant = static_cast<T>(product / static_cast<double>(width));
      T* in = dx + i / count * x.stride + column;
      for (size_t c = 0; c < width; ++c) {
        in[c] += inverse[i] * (dy[c] * gamma.value[column + c] - mean - unit[c] * slant);
      }
    }
  });
  return y;
}

#define AP_INSTANTIATE(T)                                                                        \
  template Var<T> Linear(Tape<T>&, const Var<T>&, const Var<T>&, const Var<T>&, Activation);     \
  template Var<T> StackedLinear(Tape<T>&, const Var<T>&, const Var<T>&, const Var<T>&, uint32_t, \
                                Activation);                                                     \
  template Var<T> LayerNorm(Tape<T>&, const Var<T>&, const Var<T>&, const Var<T>&, uint32_t);
AP_INSTANTIATE(float)
AP_INSTANTIATE(double)
#undef AP_INSTANTIATE

}  // namespace antiphon
