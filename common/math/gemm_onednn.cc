#include "common/math/gemm.h"

#ifdef ANTIPHON_HAS_ONEDNN

#include <dnnl.h>
#include <omp.h>

namespace antiphon {
namespace {

dnnl_dim_t Dim(size_t n) {
  return static_cast<dnnl_dim_t>(n);
}
char Letter(Op op) {
  return op == Op::kPlain ? 'N' : 'T';
}

void Multiply(Op op_a, MatrixView<const float> a, Op op_b, MatrixView<const float> b, float beta,
              MatrixView<float> c) {
  // OpenMP keeps the number of threads per calling thread, so each caller says it; it is a store.
  omp_set_num_threads(1);
  const size_t inner = op_a == Op::kPlain ? a.cols : a.rows;
  const dnnl_status_t status =
      dnnl_sgemm(Letter(op_a), Letter(op_b), Dim(c.rows), Dim(c.cols), Dim(inner), 1, a.data,
                 Dim(a.stride), b.data, Dim(b.stride), beta, c.data, Dim(c.stride));
  CHECK_EQ(status, dnnl_success) << "dnnl_sgemm of " << c.rows << " x " << inner << " x " << c.cols;
}

}  // namespace

MultiplyFunction<float> OnednnMultiply() {
  return Multiply;
}

}  // namespace antiphon

#else

namespace antiphon {
MultiplyFunction<float> OnednnMultiply() {
  return nullptr;
}
}  // namespace antiphon

#endif
