// Records of a push log from others: what is read can be written and read again, and a receiver
// that takes whatever comes hands nothing out that is not whole.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include <google/protobuf/stubs/logging.h>

#include "common/base/logging.h"
#include "serving/push/push_record.h"
#include "serving/push/version_receiver.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const google::protobuf::LogSilencer quiet;
  const std::span<const std::byte> bytes = std::as_bytes(std::span(data, size));
  const antiphon::StatusOr<antiphon::PushRecord> record = antiphon::DecodePushRecord(bytes);
  if (record.ok()) {
    const antiphon::StatusOr<std::string> again = antiphon::EncodePushRecord(*record);
    CHECK(again.ok() && antiphon::DecodePushRecord(std::as_bytes(std::span(*again))).ok());
  }
  antiphon::VersionReceiver receiver({});
  const antiphon::RecordFate fate = receiver.Take(bytes);
  CHECK((fate == antiphon::RecordFate::kTorn) == !receiver.need().empty());
  // The seal alone is hard to guess: try the message behind it under a seal that fits.
  antiphon::PushRecord loose;
  if (loose.ParseFromArray(data, static_cast<int>(size))) {
    const antiphon::StatusOr<std::string> sealed = antiphon::EncodePushRecord(loose);
    CHECK(sealed.ok());
    receiver.Take(std::as_bytes(std::span(*sealed)));
    const std::optional<antiphon::ReceivedVersion> version = receiver.Next();
    CHECK(!version.has_value() || version->files.size() > 1);
  }
  return 0;
}
