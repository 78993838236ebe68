#include "common/base/crc32c.h"

#include <array>
#include <cstring>

#if defined(__SSE4_2__)
#include <nmmintrin.h>
#endif

namespace antiphon {
namespace {

// A checksum is a polynomial over GF(2), modulo the one below; its highest bit is the factor of
// x^0. A zero byte behind what it covers multiplies it by x^8.
constexpr uint32_t kPolynomial = 0x82f63b78;
constexpr uint32_t kOne = 0x80000000;

constexpr uint32_t TimesX(uint32_t a) {
  return (a >> 1) ^ ((a & 1) != 0 ? kPolynomial : 0);
}

constexpr uint32_t Times(uint32_t a, uint32_t b) {
  uint32_t product = 0;
  for (; a != 0; a <<= 1, b = TimesX(b)) {
    if ((a & kOne) != 0) {
      product ^= b;
    }
  }
  return product;
}

// x^(8 * bytes), by repeated squaring.
constexpr uint32_t ShiftOfZeroBytes(uint64_t bytes) {
  uint32_t power = kOne >> 8;
  uint32_t shift = kOne;
  for (; bytes != 0; bytes >>= 1, power = Times(power, power)) {
    if ((bytes & 1) != 0) {
      shift = Times(shift, power);
    }
  }
  return shift;
}

#if defined(__SSE4_2__)

// The crc32 instruction takes 3 cycles and starts one a cycle: three streams keep it busy. Each
// block of 3 * kStreamBytes is summed as three streams, which a table of zero-byte shifts joins.
constexpr size_t kStreamBytes = 1024;

// tables[k][b]: what byte k of a checksum becomes once kStreamBytes zero bytes have followed it.
using ShiftTables = std::array<std::array<uint32_t, 256>, 4>;

constexpr ShiftTables MakeShiftTables() {
  const uint32_t shift = ShiftOfZeroBytes(kStreamBytes);
  ShiftTables tables{};
  for (uint32_t k = 0; k < 4; ++k) {
    for (uint32_t byte = 0; byte < 256; ++byte) {
      tables[k][byte] = Times(shift, byte << (8 * k));
    }
  }
  return tables;
}

constexpr ShiftTables kShift = MakeShiftTables();

uint32_t ShiftByStream(uint32_t crc) {
  return kShift[0][crc & 0xff] ^ kShift[1][(crc >> 8) & 0xff] ^ kShift[2][(crc >> 16) & 0xff] ^
         kShift[3][crc >> 24];
}

uint64_t LoadWord(const std::byte* p) {
  uint64_t word = 0;
  std::memcpy(&word, p, sizeof(word));
  return word;
}

uint32_t Extend(uint32_t crc, const std::byte* p, size_t n) {
  while (n >= 3 * kStreamBytes) {
    uint64_t a = crc;
    uint64_t b = 0;
    uint64_t c = 0;
    for (size_t i = 0; i < kStreamBytes; i += 8) {
      a = _mm_crc32_u64(a, LoadWord(p + i));
      b = _mm_crc32_u64(b, LoadWord(p + kStreamBytes + i));
      c = _mm_crc32_u64(c, LoadWord(p + 2 * kStreamBytes + i));
    }
    crc = ShiftByStream(static_cast<uint32_t>(a)) ^ static_cast<uint32_t>(b);
    crc = ShiftByStream(crc) ^ static_cast<uint32_t>(c);
    p += 3 * kStreamBytes;
    n -= 3 * kStreamBytes;
  }
  uint64_t wide = crc;
  for (; n >= 8; p += 8, n -= 8) {
    wide = _mm_crc32_u64(wide, LoadWord(p));
  }
  crc = static_cast<uint32_t>(wide);
  for (; n > 0; ++p, --n) {
    crc = _mm_crc32_u8(crc, static_cast<uint8_t>(*p));
  }
  return crc;
}

#else

constexpr std::array<uint32_t, 256> MakeTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) {
      crc = TimesX(crc);
    }
    table[byte] = crc;
  }
  return table;
}

constexpr std::array<uint32_t, 256> kTable = MakeTable();

uint32_t Extend(uint32_t crc, const std::byte* p, size_t n) {
  for (; n > 0; ++p, --n) {
    crc = (crc >> 8) ^ kTable[(crc ^ static_cast<uint32_t>(*p)) & 0xff];
  }
  return crc;
}

#endif

}  // namespace

uint32_t ExtendCrc32c(uint32_t crc, std::span<const std::byte> bytes) {
  return ~Extend(~crc, bytes.data(), bytes.size());
}

uint32_t JoinCrc32c(uint32_t first, uint32_t second, uint64_t second_bytes) {
  return Times(ShiftOfZeroBytes(second_bytes), first) ^ second;
}

}  // namespace antiphon
