// CRC32C (Castagnoli, reflected polynomial 0x82f63b78): the checksum of every frame and file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace antiphon {

// The checksum of what `crc` covers followed by `bytes`. Start with 0.
uint32_t ExtendCrc32c(uint32_t crc, std::span<const std::byte> bytes);

// The checksum of two ranges one behind the other, from theirs and the size of the second.
uint32_t JoinCrc32c(uint32_t first, uint32_t second, uint64_t second_bytes);

inline uint32_t Crc32c(std::span<const std::byte> bytes) {
  return ExtendCrc32c(0, bytes);
}

}  // namespace antiphon
