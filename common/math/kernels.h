// Kernels: the hot loops, as functions on raw ranges that sit in a frozen table.
//
// There is one text of every loop (kernel_loops.h), compiled for three instruction sets. The
// generic table is the specification; the AVX2 and AVX-512 tables are tested against it. A table is
// built at compile time and never changes, so any thread may use it. No function allocates, none
// looks at configuration. Ranges of one call do not overlap unless a comment says so, need no
// alignment, and n may be zero.
#pragma once

#include <cstddef>
#include <cstdint>

namespace antiphon {

enum class InstructionSet { kGeneric, kAvx2, kAvx512 };

// What a layer does to each of its sums. PReLU has parameters and is an op of its own.
enum class Activation { kLinear, kRelu, kSigmoid, kTanh };
inline constexpr size_t kActivationCount = 4;

// One Adam step with everything that depends on t computed beforehand:
//   m = b1 m + (1-b1) g;  v = b2 v + (1-b2) g^2;  w = keep w - rate m / (root_scale sqrt(v) + eps)
struct AdamRates {
  float beta1 = 0.9F;
  float beta2 = 0.999F;
  float rate = 0;
  float root_scale = 1;
  float epsilon = 1e-8F;
  float keep = 1;  // 1 - lr * weight decay for AdamW
};

// The epsilon outside of the bias correction: lr sqrt(1-b2^t)/(1-b1^t) m / (sqrt(v) + eps); t >= 1.
AdamRates AdamRatesOutside(float lr, float beta1, float beta2, float epsilon, uint64_t t);
// The epsilon inside of it: lr/(1-b1^t) m / (sqrt(v/(1-b2^t)) + eps).
AdamRates AdamRatesInside(float lr, float beta1, float beta2, float epsilon, uint64_t t);

// sigma = (sqrt(n+g^2) - sqrt(n)) inverse_alpha;  z += g - sigma w;  n += g^2;
// w = 0 where |z| <= l1, else -(z - sign(z) l1) / (sqrt(n) inverse_alpha + offset).
// The proximal form has offset = beta/alpha + l2, TensorFlow's 2 l2.
struct FtrlRates {
  float inverse_alpha = 1;
  float offset = 1;
  float l1 = 0;
};

template <typename T>
struct KernelTable {
  InstructionSet instruction_set;

  // Vectors of n.
  void (*add)(size_t n, const T* x, T* y);                       // y += x
  void (*axpy)(size_t n, T a, const T* x, T* y);                 // y += a x
  void (*scale)(size_t n, T a, T* x);                            // x *= a
  void (*multiply)(size_t n, const T* x, const T* y, T* z);      // z = x y
  void (*multiply_add)(size_t n, const T* x, const T* y, T* z);  // z += x y
  double (*dot)(size_t n, const T* x, const T* y);
  double (*sum)(size_t n, const T* x);
  void (*sigmoid)(size_t n, const T* x, T* y);  // x and y may be the same range

  // Matrices of rows x cols, rows `stride` apart, changed in place.
  // y = f(y + bias); bias may be null.
  void (*bias_activate[kActivationCount])(size_t rows, size_t cols, size_t stride, const T* bias,
                                          T* y);
  // From the outputs y: dy *= f'(y), which makes it the gradient of the sums. Then
  // bias_grad += column sums of dy, unless bias_grad is null.
  void (*activate_backward[kActivationCount])(size_t rows, size_t cols, size_t stride, const T* y,
                                              T* dy, T* bias_grad);
  void (*softmax_rows)(size_t rows, size_t cols, size_t stride, T* x);
  // dx += the gradient through y = softmax(x).
  void (*softmax_rows_backward)(size_t rows, size_t cols, size_t stride, const T* y, const T* dy,
                                T* dx);

  // Log loss on logits: returns sum w l(label, logit), l = softplus(a) - y a. Where w is 0 neither
  // label nor logit is looked at (they may be NaN).
  double (*log_loss)(size_t n, const T* logit, const T* label, const T* weight);
  // grad += scale w (sigmoid(logit) - label), under the same rule.
  void (*log_loss_backward)(size_t n, T scale, const T* logit, const T* label, const T* weight,
                            T* grad);

  // Optimizer steps on a row or an array: gradient g, weights w, then the state.
  void (*sgd_step)(size_t n, T lr, const T* g, T* w);                   // w -= lr g
  void (*momentum_step)(size_t n, T lr, T mu, const T* g, T* w, T* m);  // m = mu m + g; w -= lr m
  // acc += g^2; w -= lr g / (sqrt(acc) + eps)
  void (*adagrad_row)(size_t n, T lr, T eps, const T* g, T* w, T* acc);
  // One accumulator: *acc += mean g^2; w -= lr g / (sqrt(*acc) + eps)
  void (*rowwise_adagrad_row)(size_t n, T lr, T eps, const T* g, T* w, T* acc);
  void (*adam_step)(size_t n, const AdamRates& rates, const T* g, T* w, T* m, T* v);
  void (*ftrl_step)(size_t n, const FtrlRates& rates, const T* g, T* w, T* z, T* acc);
  // As ftrl_step with the lasso on the whole row: w = 0 while ||z|| <= l1, else
  // -z (||z|| - l1)/||z|| / (sqrt(acc) inverse_alpha + offset).
  void (*group_ftrl_row)(size_t n, const FtrlRates& rates, const T* g, T* w, T* z, T* acc);
};

using Kernels = KernelTable<float>;

// The specification, in float and in double (the tape's gradient tests run in double).
template <typename T>
const KernelTable<T>& GenericKernels();
// Their functions may be called only where CpuHas() says so.
const Kernels& Avx2Kernels();
const Kernels& Avx512Kernels();

bool CpuHas(InstructionSet set);

// The fastest table for this machine.
const Kernels& BestKernels();

// The best table of a type: generic for double.
template <typename T>
const KernelTable<T>& BestKernelsOf();

}  // namespace antiphon
