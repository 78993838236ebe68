// state.bin from others, as it stands and with its checksums put right.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include <google/protobuf/stubs/logging.h>

#include "common/base/crc32c.h"
#include "common/ckpt/sealed_message.h"
#include "serving/served_state.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const google::protobuf::LogSilencer quiet;
  std::vector<uint8_t> copy(data, data + size);
  const std::span<std::byte> file = std::as_writable_bytes(std::span(copy));
  antiphon::DecodeServedState(file).status().IgnoreError();
  if (size >= antiphon::kSealBytes) {
    const auto bytes = static_cast<uint32_t>(size - antiphon::kSealBytes);
    std::memcpy(file.data() + 12, &bytes, sizeof bytes);
    const uint32_t message = antiphon::Crc32c(file.subspan(antiphon::kSealBytes));
    std::memcpy(file.data() + 16, &message, sizeof message);
    const uint32_t prologue = antiphon::Crc32c(file.first(20));
    std::memcpy(file.data() + 20, &prologue, sizeof prologue);
    antiphon::DecodeServedState(file).status().IgnoreError();
  }
  return 0;
}
