#include "common/math/kernels.h"

#include <cmath>

namespace antiphon {

AdamRates AdamRatesOutside(float lr, float beta1, float beta2, float epsilon, uint64_t t) {
  const double steps = static_cast<double>(t);
  const double first = 1 - std::pow(static_cast<double>(beta1), steps);
  const double second = 1 - std::pow(static_cast<double>(beta2), steps);
  return {.beta1 = beta1,
          .beta2 = beta2,
          .rate = static_cast<float>(lr * std::sqrt(second) / first),
          .root_scale = 1,
          .epsilon = epsilon};
}

AdamRates AdamRatesInside(float lr, float beta1, float beta2, float epsilon, uint64_t t) {
  const double steps = static_cast<double>(t);
  const double first = 1 - std::pow(static_cast<double>(beta1), steps);
  const double second = 1 - std::pow(static_cast<double>(beta2), steps);
  return {.beta1 = beta1,
          .beta2 = beta2,
          .rate = static_cast<float>(lr / first),
          .root_scale = static_cast<float>(1 / std::sqrt(second)),
          .epsilon = epsilon};
}

bool CpuHas(InstructionSet set) {
  // The levels x86-64-v3 and v4 that those files are compiled for; processors come in whole levels.
  switch (set) {
    case InstructionSet::kGeneric:
      return true;
    case InstructionSet::kAvx2:
      return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0 &&
             __builtin_cpu_supports("bmi2") != 0;
    case InstructionSet::kAvx512:
      return CpuHas(InstructionSet::kAvx2) && __builtin_cpu_supports("avx512f") != 0 &&
             __builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512cd") != 0 &&
             __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vl") != 0;
  }
  return false;
}

const Kernels& BestKernels() {
  static const Kernels& best = CpuHas(InstructionSet::kAvx512) ? Avx512Kernels()
                               : CpuHas(InstructionSet::kAvx2) ? Avx2Kernels()
                                                               : GenericKernels<float>();
  return best;
}

template <>
const KernelTable<float>& BestKernelsOf<float>() {
  return BestKernels();
}
template <>
const KernelTable<double>& BestKernelsOf<double>() {
  return GenericKernels<double>();
}

}  // namespace antiphon
