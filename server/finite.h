// Whether every float of a range is a number: what comes from a peer or a file is looked at before
// it reaches a table. Pure, any thread.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>

namespace antiphon {

// By the exponent, which is all ones in infinities and NaN; a loop without branches.
inline bool AllFinite(std::span<const float> values) {
  constexpr uint32_t kExponent = 0x7f800000;
  uint32_t bad = 0;
  for (const float value : values) {
    uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof(bits));
    bad |= static_cast<uint32_t>((bits & kExponent) == kExponent);
  }
  return bad == 0;
}

}  // namespace antiphon
