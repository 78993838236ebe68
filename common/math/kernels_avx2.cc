#include "common/math/kernel_loops.h"

namespace antiphon {

const Kernels& Avx2Kernels() {
  static constexpr Kernels kTable = KernelLoops<InstructionSet::kAvx2, float>::Table();
  return kTable;
}

}  // namespace antiphon
