// Eigen's product for one instruction set.
//
// Included by gemm_eigen_generic.cc, _avx2.cc and _avx512.cc, which are compiled with other flags
// and rename the namespace Eigen before they include this: otherwise the linker would merge their
// equally named templates into one of them, and a machine without AVX-512 might get that one.
#pragma once

#include <Eigen/Core>

#include "common/math/gemm.h"
#include "common/math/kernels.h"

namespace antiphon {

template <InstructionSet kSet, typename T>
struct EigenGemm {
  using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  using Stride = Eigen::OuterStride<>;
  using Map = Eigen::Map<Matrix, Eigen::Unaligned, Stride>;
  using ConstMap = Eigen::Map<const Matrix, Eigen::Unaligned, Stride>;

  static Eigen::Index Index(size_t n) { return static_cast<Eigen::Index>(n); }

  template <typename Left, typename Right>
  static void Assign(const Left& left, const Right& right, T beta, Map c) {
    if (beta == T{0}) {
      c.noalias() = left * right;
      return;
    }
    if (beta != T{1}) {
      c *= beta;
    }
    c.noalias() += left * right;
  }

  static void Multiply(Op op_a, MatrixView<const T> a, Op op_b, MatrixView<const T> b, T beta,
                       MatrixView<T> c) {
    const ConstMap left(a.data, Index(a.rows), Index(a.cols), Stride(Index(a.stride)));
    const ConstMap right(b.data, Index(b.rows), Index(b.cols), Stride(Index(b.stride)));
    const Map out(c.data, Index(c.rows), Index(c.cols), Stride(Index(c.stride)));
    if (op_a == Op::kPlain && op_b == Op::kPlain) {
      Assign(left, right, beta, out);
    } else if (op_a == Op::kPlain) {
      Assign(left, right.transpose(), beta, out);
    } else if (op_b == Op::kPlain) {
      Assign(left.transpose(), right, beta, out);
    } else {
      Assign(left.transpose(), right.transpose(), beta, out);
    }
  }
};

}  // namespace antiphon
