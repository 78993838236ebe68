#include "common/base/crc32c.h"

#include <array>
#include <cstring>

#if defined(__SSE4_2__)
#include <nmmintrin.h>
#endif

namespace antiphon {
namespace {

#if defined(__SSE4_2__)

// The crc32 instruction takes 3 cycles and starts one a cycle: three streams keep it busy. Each
// block of 3 * kStreamBytes is summed as three streams, which a table of zero-byte shifts joins.
constexpr size_t kStreamBytes = 1024;
constexpr uint32_t kPolynomial = 0x82f63b78;

using Matrix = std::array<uint32_t, 32>;

constexpr uint32_t Times(const Matrix& matrix, uint32_t vector) {
  uint32_t sum = 0;
  for (int bit = 0; vector != 0; vector >>= 1, ++bit) {
    if ((vector & 1) != 0) {
      sum ^= matrix[bit];
    }
  }
  return sum;
}

constexpr Matrix Square(const Matrix& matrix) {
  Matrix square{};
  for (int bit = 0; bit < 32; ++bit) {
    square[bit] = Times(matrix, matrix[bit]);
  }
  return square;
}

// tables[k][b]: what byte k of a checksum becomes once kStreamBytes zero bytes have followed it.
using ShiftTables = std::array<std::array<uint32_t, 256>, 4>;

constexpr ShiftTables MakeShiftTables() {
  Matrix step{};  // one zero bit
  step[0] = kPolynomial;
  for (int bit = 1; bit < 32; ++bit) {
    step[bit] = 1U << (bit - 1);
  }
  for (size_t bits = 1; bits < kStreamBytes * 8; bits *= 2) {
    step = Square(step);
  }
  ShiftTables tables{};
  for (uint32_t k = 0; k < 4; ++k) {
    for (uint32_t byte = 0; byte < 256; ++byte) {
      tables[k][byte] = Times(step, byte << (8 * k));
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
      crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78 : 0);
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

}  // namespace antiphon
