// How the floats of a row are written for serving: as they are, as halves, or as bytes with a scale
// of the row's own. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace antiphon {

enum class RowPrecision : uint32_t { kFp32 = 1, kFp16 = 2, kInt8 = 3 };

// "fp32", "fp16" or "int8".
std::string_view PrecisionName(RowPrecision precision);
std::optional<RowPrecision> ParsePrecision(std::string_view name);

// A row's size in a file, a multiple of 4:
//   fp32  float[dim]
//   fp16  binary16[dim], then zeros
//   int8  float scale, int8[dim], then zeros; a value is scale times its byte
size_t RowBytes(RowPrecision precision, size_t dim);

// `out` is RowBytes long. Halves are rounded to the nearest; what is too large for one becomes the
// largest, 65504. The scale of bytes is the largest value's part in 127.
void EncodeRow(RowPrecision precision, std::span<const float> row, std::byte* out);

// `row` has the length that was encoded.
void DecodeRow(RowPrecision precision, const std::byte* in, std::span<float> row);

// IEEE 754 binary16.
uint16_t HalfOfFloat(float value);
float FloatOfHalf(uint16_t half);

}  // namespace antiphon
