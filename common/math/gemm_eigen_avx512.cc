#define Eigen EigenAvx512  // see gemm_eigen.h

#include "common/math/gemm_eigen.h"

namespace antiphon {

MultiplyFunction<float> EigenMultiplyAvx512() {
  return EigenGemm<InstructionSet::kAvx512, float>::Multiply;
}

}  // namespace antiphon
