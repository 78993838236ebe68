// Gemm: the seam to matrix multiplication, where nearly all of a training step goes.
//
// A main makes one and passes it down; it is frozen, so any thread may call it. A call runs on the
// calling thread only: the worker spreads a batch over threads itself, and two pools on the same
// cores are slower than none. Eigen is always there and is the reference; OpenBLAS and oneDNN where
// the build found them. A library is believed only after it has multiplied a few awkward shapes
// like the definition: old OpenBLAS builds are known to compute wrong products on new processors.
#pragma once

#include <string>
#include <string_view>

#include "common/base/status.h"
#include "common/math/matrix_view.h"

namespace antiphon {

enum class GemmBackend { kAuto, kEigen, kOpenblas, kOnednn };

// "auto", "eigen", "openblas", "onednn".
StatusOr<GemmBackend> ParseGemmBackend(std::string_view text);
std::string_view GemmBackendName(GemmBackend backend);

// Whether a factor is taken as it lies or transposed.
enum class Op { kPlain, kTransposed };

// c = op_a(a) op_b(b) + beta c. With beta 0, c is only written: it may hold anything before.
template <typename T>
using MultiplyFunction = void (*)(Op op_a, MatrixView<const T> a, Op op_b, MatrixView<const T> b,
                                  T beta, MatrixView<T> c);

class Gemm {
 public:
  // kAuto takes the fastest that this build has and that passes the check. A backend that the build
  // lacks or that fails becomes Eigen, with one warning in the log.
  static Gemm Create(GemmBackend backend);

  void Multiply(Op op_a, MatrixView<const float> a, Op op_b, MatrixView<const float> b, float beta,
                MatrixView<float> c) const {
    multiply_(op_a, a, op_b, b, beta, c);
  }
  void Multiply(Op op_a, MatrixView<const double> a, Op op_b, MatrixView<const double> b,
                double beta, MatrixView<double> c) const;

  // What it became: never kAuto.
  GemmBackend backend() const { return backend_; }

 private:
  Gemm(GemmBackend backend, MultiplyFunction<float> multiply)
      : backend_(backend), multiply_(multiply) {}

  GemmBackend backend_;
  MultiplyFunction<float> multiply_;
};

// Compares with the definition, summed in double, on shapes that are no multiple of anything.
Status CheckMultiply(MultiplyFunction<float> multiply);

// The backends. A null pointer where the build does not have it.
MultiplyFunction<float> EigenMultiply();  // the variant below for this processor
MultiplyFunction<float> EigenMultiplyGeneric();
MultiplyFunction<float> EigenMultiplyAvx2();
MultiplyFunction<float> EigenMultiplyAvx512();
MultiplyFunction<double> EigenMultiplyDouble();
MultiplyFunction<float> OpenblasMultiply();
MultiplyFunction<float> OnednnMultiply();

}  // namespace antiphon
