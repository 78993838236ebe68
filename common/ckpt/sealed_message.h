// A protobuf message on disk that proves to be whole: a prologue of 24 bytes, then the message.
//
//   offset 0   8 bytes  magic, says what kind of file this is
//          8   u32      format version
//         12   u32      bytes of the message
//         16   u32      CRC32C of the message
//         20   u32      CRC32C of the 20 bytes before
//
// Little-endian. Lane files and manifests begin like this. Pure functions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <google/protobuf/message_lite.h>

#include "common/base/status.h"

namespace antiphon {

inline constexpr size_t kSealBytes = 24;

struct SealKind {
  std::string_view magic;  // 8 bytes
  uint32_t format = 0;     // the only one that is read
  uint64_t max_bytes = 0;  // of the message
};

// What the prologue says about the bytes that follow.
struct Seal {
  uint32_t bytes = 0;
  uint32_t crc32c = 0;
};

// Prologue and message. kResourceExhausted: the message is larger than its kind allows.
StatusOr<std::string> SealMessage(const SealKind& kind,
                                  const google::protobuf::MessageLite& message);

// kDataLoss: not this kind of file, or its prologue was damaged; kUnimplemented: another format.
StatusOr<Seal> DecodeSeal(const SealKind& kind, std::span<const std::byte, kSealBytes> prologue);

// Parses the bytes that a seal describes. kDataLoss when they do not match it.
Status OpenSealed(const Seal& seal, std::span<const std::byte> bytes,
                  google::protobuf::MessageLite& message);

}  // namespace antiphon
