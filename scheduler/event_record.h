// TFRecord framing, in which event files keep their events:
//
//   u64 length | u32 masked crc32c of the length | bytes | u32 masked crc32c of the bytes
//
// Little-endian. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace antiphon {

// TFRecord stores checksums rotated and shifted, since a checksum of data that holds checksums is
// weak.
constexpr uint32_t MaskedCrc(uint32_t crc) {
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8U;
}

// `bytes` as one record.
std::string EventRecord(std::string_view bytes);

}  // namespace antiphon
