#include "common/math/gemm.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "common/base/rng.h"
#include "common/math/kernels.h"

namespace antiphon {

namespace {

constexpr std::array<GemmBackend, 4> kBackends = {GemmBackend::kAuto, GemmBackend::kEigen,
                                                  GemmBackend::kOpenblas, GemmBackend::kOnednn};

struct Product {
  size_t rows = 0;
  size_t inner = 0;
  size_t cols = 0;
};

std::vector<float> RandomMatrix(size_t rows, size_t stride, Rng& rng) {
  std::vector<float> values(rows * stride);
  for (float& value : values) {
    value = static_cast<float>(rng.Uniform() - 0.5);
  }
  return values;
}

double Entry(MatrixView<const float> matrix, Op op, size_t r, size_t c) {
  return op == Op::kPlain ? matrix.row(r)[c] : matrix.row(c)[r];
}

// Whether `multiply` gets one product right, in every row and column and nowhere else.
bool IsRight(MultiplyFunction<float> multiply, const Product& shape, Op op_a, Op op_b) {
  Rng rng(shape.rows * 131 + shape.inner * 17 + shape.cols);
  // Rows that lie further apart than they are long, as slices of a wider matrix do.
  MatrixView<const float> a{nullptr, shape.rows, shape.inner, shape.inner + 3};
  MatrixView<const float> b{nullptr, shape.inner, shape.cols, shape.cols + 5};
  if (op_a == Op::kTransposed) {
    a = {nullptr, shape.inner, shape.rows, shape.rows + 3};
  }
  if (op_b == Op::kTransposed) {
    b = {nullptr, shape.cols, shape.inner, shape.inner + 5};
  }
  const std::vector<float> a_values = RandomMatrix(a.rows, a.stride, rng);
  const std::vector<float> b_values = RandomMatrix(b.rows, b.stride, rng);
  a.data = a_values.data();
  b.data = b_values.data();
  const size_t stride = shape.cols + 2;
  for (const float beta : {0.0F, 1.0F}) {
    const std::vector<float> before = RandomMatrix(shape.rows, stride, rng);
    std::vector<float> after = before;
    if (beta == 0.0F) {
      // What is only written may hold anything; the columns beside it are not to be touched.
      for (size_t r = 0; r < shape.rows; ++r) {
        std::fill_n(&after[r * stride], shape.cols, std::numeric_limits<float>::quiet_NaN());
      }
    }
    multiply(op_a, a, op_b, b, beta, {after.data(), shape.rows, shape.cols, stride});
    for (size_t i = 0; i < after.size(); ++i) {
      const size_t r = i / stride;
      const size_t c = i % stride;
      double expected = before[i];
      if (c < shape.cols) {
        expected *= beta;
        for (size_t k = 0; k < shape.inner; ++k) {
          expected += Entry(a, op_a, r, k) * Entry(b, op_b, k, c);
        }
      }
      const double tolerance = 1e-6 * (4 + std::sqrt(static_cast<double>(shape.inner)));
      if (!(std::abs(after[i] - expected) <= tolerance)) {
        return false;
      }
    }
  }
  return true;
}

MultiplyFunction<float> Function(GemmBackend backend) {
  switch (backend) {
    case GemmBackend::kOpenblas:
      return OpenblasMultiply();
    case GemmBackend::kOnednn:
      return OnednnMultiply();
    case GemmBackend::kAuto:
    case GemmBackend::kEigen:
      return EigenMultiply();
  }
  return EigenMultiply();
}

// The fastest first, by whole training steps (bench/model_step.cc).
GemmBackend FastestOfThisBuild() {
  if (OnednnMultiply() != nullptr) {
    return GemmBackend::kOnednn;
  }
  if (OpenblasMultiply() != nullptr) {
    return GemmBackend::kOpenblas;
  }
  return GemmBackend::kEigen;
}

}  // namespace

StatusOr<GemmBackend> ParseGemmBackend(std::string_view text) {
  for (const GemmBackend backend : kBackends) {
    if (GemmBackendName(backend) == text) {
      return backend;
    }
  }
  return InvalidArgumentError("unknown matrix library \"" + std::string(text) +
                              "\", expected auto, eigen, openblas or onednn");
}

std::string_view GemmBackendName(GemmBackend backend) {
  switch (backend) {
    case GemmBackend::kAuto:
      return "auto";
    case GemmBackend::kEigen:
      return "eigen";
    case GemmBackend::kOpenblas:
      return "openblas";
    case GemmBackend::kOnednn:
      return "onednn";
  }
  return "unknown";
}

MultiplyFunction<float> EigenMultiply() {
  if (CpuHas(InstructionSet::kAvx512)) {
    return EigenMultiplyAvx512();
  }
  if (CpuHas(InstructionSet::kAvx2)) {
    return EigenMultiplyAvx2();
  }
  return EigenMultiplyGeneric();
}

Status CheckMultiply(MultiplyFunction<float> multiply) {
  constexpr std::array<Product, 6> kShapes = {
      {{1, 1, 1}, {7, 5, 3}, {33, 65, 17}, {5, 429, 130}, {130, 3, 257}, {67, 128, 1}}};
  for (const Product& shape : kShapes) {
    for (const Op op_a : {Op::kPlain, Op::kTransposed}) {
      for (const Op op_b : {Op::kPlain, Op::kTransposed}) {
        if (!IsRight(multiply, shape, op_a, op_b)) {
          return InternalError("a wrong product of " + std::to_string(shape.rows) + " x " +
                               std::to_string(shape.inner) + " by " + std::to_string(shape.inner) +
                               " x " + std::to_string(shape.cols));
        }
      }
    }
  }
  return Status();
}

Gemm Gemm::Create(GemmBackend backend) {
  const GemmBackend wanted = backend == GemmBackend::kAuto ? FastestOfThisBuild() : backend;
  const MultiplyFunction<float> multiply = Function(wanted);
  if (multiply == nullptr) {
    LOG(WARNING) << "this build has no " << GemmBackendName(wanted) << "; Eigen multiplies instead";
    return Gemm(GemmBackend::kEigen, EigenMultiply());
  }
  const Status check = CheckMultiply(multiply);
  if (!check.ok()) {
    LOG(WARNING) << GemmBackendName(wanted) << " computes " << check.message()
                 << " on this machine; Eigen multiplies instead";
    return Gemm(GemmBackend::kEigen, EigenMultiply());
  }
  return Gemm(wanted, multiply);
}

void Gemm::Multiply(Op op_a, MatrixView<const double> a, Op op_b, MatrixView<const double> b,
                    double beta, MatrixView<double> c) const {
  static const MultiplyFunction<double> multiply = EigenMultiplyDouble();
  multiply(op_a, a, op_b, b, beta, c);
}

}  // namespace antiphon
