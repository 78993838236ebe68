#include "common/math/gemm.h"

#ifdef ANTIPHON_HAS_OPENBLAS

#include <cblas.h>

namespace antiphon {
namespace {

int Int(size_t n) {
  return static_cast<int>(n);
}
CBLAS_TRANSPOSE Transpose(Op op) {
  return op == Op::kPlain ? CblasNoTrans : CblasTrans;
}

void Multiply(Op op_a, MatrixView<const float> a, Op op_b, MatrixView<const float> b, float beta,
              MatrixView<float> c) {
  const size_t inner = op_a == Op::kPlain ? a.cols : a.rows;
  cblas_sgemm(CblasRowMajor, Transpose(op_a), Transpose(op_b), Int(c.rows), Int(c.cols), Int(inner),
              1, a.data, Int(a.stride), b.data, Int(b.stride), beta, c.data, Int(c.stride));
}

}  // namespace

MultiplyFunction<float> OpenblasMultiply() {
  openblas_set_num_threads(1);
  return Multiply;
}

}  // namespace antiphon

#else

namespace antiphon {
MultiplyFunction<float> OpenblasMultiply() {
  return nullptr;
}
}  // namespace antiphon

#endif
