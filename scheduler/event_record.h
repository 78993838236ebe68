// TFRecord framing, in which event files keep their events, and the journal its records:
//
//   u64 length | u32 masked crc32c of the length | bytes | u32 masked crc32c of the bytes
//
// Little-endian. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/status.h"

namespace antiphon {

// TFRecord stores checksums rotated and shifted, since a checksum of data that holds checksums is
// weak.
constexpr uint32_t MaskedCrc(uint32_t crc) {
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8U;
}

// `bytes` as one record.
std::string EventRecord(std::string_view bytes);

// The size of a record of so many bytes.
constexpr size_t EventRecordBytes(size_t bytes) {
  return bytes + 16;
}

// The bytes of the record that `framed` begins with. kOutOfRange: it ends before the record does;
// kDataLoss: a checksum is wrong.
StatusOr<std::string_view> ReadEventRecord(std::string_view framed);

}  // namespace antiphon
