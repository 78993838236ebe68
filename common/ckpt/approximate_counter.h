// A counter of 16 bits that counts into the billions: exact up to 4096, then approximate without
// bias (R. Morris, "Counting large numbers of events in small registers", CACM 1978).
//
// The 16 bits are a small floating-point number, an exponent of 5 bits and a mantissa of 11 behind
// an implied one, so neighbouring values are at most 1/2048 apart. An addition whose exact result
// lies between two values takes one of them, with probabilities that make the mean exact. Pure
// functions, any thread.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>

namespace antiphon {

using ApproximateCount = uint16_t;

// Below 2^12 a count is its own code.
inline constexpr int kExactCountBits = 12;

constexpr uint64_t CountValue(ApproximateCount count) {
  const int exponent = count >> (kExactCountBits - 1);
  if (exponent < 2) {
    return count;
  }
  const uint64_t mantissa = (count & 0x7ffu) | 0x800u;
  return mantissa << (exponent - 1);
}

inline constexpr uint64_t kMaxCountValue = CountValue(std::numeric_limits<uint16_t>::max());

// `count` + `n`, up to the largest value. `random` is 32 uniform bits, independent of earlier calls
// for the same counter.
constexpr ApproximateCount AddToCount(ApproximateCount count, uint32_t n, uint32_t random) {
  const uint64_t sum = CountValue(count) + n;
  if (sum >= kMaxCountValue) {
    return std::numeric_limits<uint16_t>::max();
  }
  const int width = std::bit_width(sum);
  if (width <= kExactCountBits) {
    return static_cast<ApproximateCount>(sum);
  }
  const int shift = width - kExactCountBits;
  const uint64_t low = (static_cast<uint64_t>(shift) << (kExactCountBits - 1)) + (sum >> shift);
  const uint64_t rest = sum & ((uint64_t{1} << shift) - 1);
  // Up with probability rest / 2^shift; shift is at most 30, and the code after the last of an
  // exponent is the first of the next.
  return static_cast<ApproximateCount>(low + ((random >> (32 - shift)) < rest ? 1 : 0));
}

}  // namespace antiphon
