#include "serving/row_codec.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

namespace antiphon {
namespace {

constexpr float kLargestHalf = 65504;
constexpr float kLargestByte = 127;

constexpr size_t AlignUp(size_t bytes) {
  return (bytes + 3) / 4 * 4;
}

}  // namespace

std::string_view PrecisionName(RowPrecision precision) {
  switch (precision) {
    case RowPrecision::kFp32:
      return "fp32";
    case RowPrecision::kFp16:
      return "fp16";
    case RowPrecision::kInt8:
      return "int8";
  }
  return "";
}

std::optional<RowPrecision> ParsePrecision(std::string_view name) {
  for (const RowPrecision precision :
       {RowPrecision::kFp32, RowPrecision::kFp16, RowPrecision::kInt8}) {
    if (name == PrecisionName(precision)) {
      return precision;
    }
  }
  return std::nullopt;
}

size_t RowBytes(RowPrecision precision, size_t dim) {
  switch (precision) {
    case RowPrecision::kFp32:
      return dim * sizeof(float);
    case RowPrecision::kFp16:
      return AlignUp(dim * sizeof(uint16_t));
    case RowPrecision::kInt8:
      return sizeof(float) + AlignUp(dim);
  }
  return 0;
}

// Multiplying by 2^-112 moves the exponent of a float into the range of a half, subnormal ones
// included, and rounding to the nearest even is then an addition.
uint16_t HalfOfFloat(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = bits >> 16 & 0x8000;
  if (std::isnan(value)) {
    return static_cast<uint16_t>(sign | 0x7e00);
  }
  const float size = std::min(std::abs(value), kLargestHalf);
  if (size < 0x1p-14F) {  // subnormal: a multiple of 2^-24
    return static_cast<uint16_t>(sign | static_cast<uint32_t>(std::nearbyint(size * 0x1p24F)));
  }
  const uint32_t magnitude = std::bit_cast<uint32_t>(size);
  const uint32_t rounded = magnitude + 0xfff + (magnitude >> 13 & 1);
  const uint32_t half = (rounded >> 13) - (uint32_t{127 - 15} << 10);
  return static_cast<uint16_t>(sign | std::min<uint32_t>(half, 0x7bff));
}

float FloatOfHalf(uint16_t half) {
  const uint32_t sign = uint32_t{half} >> 15 << 31;
  const uint32_t rest = half & 0x7fffU;
  // The same number with the exponent of a float; 2^112 apart from what it should be.
  const float scaled = std::bit_cast<float>(rest << 13) * 0x1p112F;
  const uint32_t magnitude =
      rest >= 0x7c00 ? (0x7f800000U | (rest & 0x3ffU) << 13) : std::bit_cast<uint32_t>(scaled);
  return std::bit_cast<float>(sign | magnitude);
}

void EncodeRow(RowPrecision precision, std::span<const float> row, std::byte* out) {
  if (precision == RowPrecision::kFp32) {
    std::memcpy(out, row.data(), row.size_bytes());
    return;
  }
  std::memset(out, 0, RowBytes(precision, row.size()));
  if (precision == RowPrecision::kFp16) {
    for (size_t i = 0; i < row.size(); ++i) {
      const uint16_t half = HalfOfFloat(row[i]);
      std::memcpy(out + i * sizeof half, &half, sizeof half);
    }
    return;
  }
  float largest = 0;
  for (const float value : row) {
    largest = std::max(largest, std::abs(value));
  }
  const float scale = largest / kLargestByte;
  std::memcpy(out, &scale, sizeof scale);
  for (size_t i = 0; i < row.size() && scale > 0; ++i) {
    const float steps = std::clamp(row[i] / scale, -kLargestByte, kLargestByte);
    out[sizeof scale + i] = static_cast<std::byte>(static_cast<int8_t>(std::lround(steps)));
  }
}

void DecodeRow(RowPrecision precision, const std::byte* in, std::span<float> row) {
  if (precision == RowPrecision::kFp32) {
    std::memcpy(row.data(), in, row.size_bytes());
  } else if (precision == RowPrecision::kFp16) {
    for (size_t i = 0; i < row.size(); ++i) {
      uint16_t half = 0;
      std::memcpy(&half, in + i * sizeof half, sizeof half);
      row[i] = FloatOfHalf(half);
    }
  } else {
    float scale = 0;
    std::memcpy(&scale, in, sizeof scale);
    for (size_t i = 0; i < row.size(); ++i) {
      row[i] = scale * static_cast<float>(static_cast<int8_t>(in[sizeof scale + i]));
    }
  }
}

}  // namespace antiphon
