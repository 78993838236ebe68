#include "common/math/kernel_loops.h"

namespace antiphon {

template <typename T>
const KernelTable<T>& GenericKernels() {
  static constexpr KernelTable<T> kTable = KernelLoops<InstructionSet::kGeneric, T>::Table();
  return kTable;
}

template const KernelTable<float>& GenericKernels<float>();
template const KernelTable<double>& GenericKernels<double>();

}  // namespace antiphon
