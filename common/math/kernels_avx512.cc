#include "common/math/kernel_loops.h"

namespace antiphon {

const Kernels& Avx512Kernels() {
  static constexpr Kernels kTable = KernelLoops<InstructionSet::kAvx512, float>::Table();
  return kTable;
}

}  // namespace antiphon
