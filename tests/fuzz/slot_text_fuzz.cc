// Slot text files, from bytes to rows of a batch.

#include <cstdint>
#include <string_view>

#include "tests/fuzz/record_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  antiphon::TryRecordFile({reinterpret_cast<const char*>(data), size},
                          antiphon::DataConfig::SlotTextInput);
  return 0;
}
