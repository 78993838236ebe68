#include "serving/row_codec.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "common/base/rng.h"

namespace antiphon {
namespace {

std::vector<float> ThereAndBack(RowPrecision precision, const std::vector<float>& row) {
  std::vector<std::byte> bytes(RowBytes(precision, row.size()));
  EncodeRow(precision, row, bytes.data());
  std::vector<float> back(row.size(), -1);
  DecodeRow(precision, bytes.data(), back);
  return back;
}

TEST(RowCodecTest, NamesAreThoseOfTheFlag) {
  EXPECT_EQ(ParsePrecision("int8"), RowPrecision::kInt8);
  EXPECT_EQ(ParsePrecision("fp64"), std::nullopt);
  EXPECT_EQ(PrecisionName(RowPrecision::kFp16), "fp16");
}

TEST(RowCodecTest, RowsHaveAWholeNumberOfWords) {
  EXPECT_EQ(RowBytes(RowPrecision::kFp32, 5), 20U);
  EXPECT_EQ(RowBytes(RowPrecision::kFp16, 5), 12U);
  EXPECT_EQ(RowBytes(RowPrecision::kInt8, 5), 12U);
}

TEST(RowCodecTest, FloatsStayWhatTheyAre) {
  const std::vector<float> row = {0.1F, -3e-30F, 0, 1e30F};
  EXPECT_EQ(ThereAndBack(RowPrecision::kFp32, row), row);
}

// Every half is the half of its own value.
TEST(RowCodecTest, HalvesAreTheirOwnNearest) {
  for (uint32_t half = 0; half < 0x10000; ++half) {
    const bool is_finite = (half & 0x7c00) != 0x7c00;
    if (is_finite) {
      EXPECT_EQ(HalfOfFloat(FloatOfHalf(static_cast<uint16_t>(half))), half) << half;
    }
  }
  EXPECT_TRUE(std::isinf(FloatOfHalf(0x7c00)));
  EXPECT_TRUE(std::isnan(FloatOfHalf(0x7e00)));
}

TEST(RowCodecTest, HalvesKnowTheirConstants) {
  EXPECT_EQ(FloatOfHalf(0x3c00), 1);
  EXPECT_EQ(FloatOfHalf(0x3555), 0.33325195F);
  EXPECT_EQ(FloatOfHalf(0x0001), 0x1p-24F);
  EXPECT_EQ(FloatOfHalf(0x0400), 0x1p-14F);
  EXPECT_EQ(FloatOfHalf(0xfbff), -65504);
}

TEST(RowCodecTest, HalvesRoundToTheNearestAndTiesToEven) {
  EXPECT_EQ(HalfOfFloat(1 + 0x1p-11F), 0x3c00);      // a tie: down to even
  EXPECT_EQ(HalfOfFloat(1 + 3 * 0x1p-11F), 0x3c02);  // a tie: up to even
  EXPECT_EQ(HalfOfFloat(std::nextafter(1 + 0x1p-11F, 2.0F)), 0x3c01);
  EXPECT_EQ(HalfOfFloat(0x1.ffcp-15F), 0x0400);  // the largest subnormal rounds up
  EXPECT_EQ(HalfOfFloat(1e-10F), 0);
  EXPECT_EQ(HalfOfFloat(-1e-10F), 0x8000);
}

TEST(RowCodecTest, WhatIsTooLargeForAHalfIsTheLargest) {
  EXPECT_EQ(HalfOfFloat(70000), 0x7bff);
  EXPECT_EQ(HalfOfFloat(-std::numeric_limits<float>::max()), 0xfbff);
}

TEST(RowCodecTest, BytesAreWithinHalfAStepOfTheRow) {
  Rng rng(7);
  for (size_t dim = 1; dim < 20; ++dim) {
    std::vector<float> row(dim);
    float largest = 0;
    for (float& value : row) {
      value = static_cast<float>(rng.Uniform() - 0.5);
      largest = std::max(largest, std::abs(value));
    }
    const std::vector<float> back = ThereAndBack(RowPrecision::kInt8, row);
    for (size_t i = 0; i < dim; ++i) {
      EXPECT_NEAR(back[i], row[i], largest / 254 * 1.0001F);
    }
  }
}

TEST(RowCodecTest, ZerosStayZeros) {
  const std::vector<float> row(5, 0);
  EXPECT_EQ(ThereAndBack(RowPrecision::kInt8, row), row);
  EXPECT_EQ(ThereAndBack(RowPrecision::kFp16, row), row);
}

}  // namespace
}  // namespace antiphon
