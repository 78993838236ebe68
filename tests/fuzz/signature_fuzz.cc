// signature.json from others: what is read must be written, and read again.
#include <cstdint>
#include <string_view>

#include <google/protobuf/stubs/logging.h>

#include "common/base/logging.h"
#include "serving/signature.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const google::protobuf::LogSilencer quiet;
  const antiphon::StatusOr<antiphon::Signature> signature =
      antiphon::ParseSignature({reinterpret_cast<const char*>(data), size});
  if (signature.ok()) {
    const antiphon::StatusOr<std::string> json = antiphon::SignatureJson(*signature);
    CHECK(json.ok() && antiphon::ParseSignature(*json).ok());
  }
  return 0;
}
