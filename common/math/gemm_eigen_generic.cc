#define Eigen EigenGeneric  // see gemm_eigen.h

#include "common/math/gemm_eigen.h"

namespace antiphon {

MultiplyFunction<float> EigenMultiplyGeneric() {
  return EigenGemm<InstructionSet::kGeneric, float>::Multiply;
}

MultiplyFunction<double> EigenMultiplyDouble() {
  return EigenGemm<InstructionSet::kGeneric, double>::Multiply;
}

}  // namespace antiphon
