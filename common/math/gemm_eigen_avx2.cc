#define Eigen EigenAvx2  // see gemm_eigen.h

#include "common/math/gemm_eigen.h"

namespace antiphon {

MultiplyFunction<float> EigenMultiplyAvx2() {
  return EigenGemm<InstructionSet::kAvx2, float>::Multiply;
}

}  // namespace antiphon
