#include "tools/score/latency_histogram.h"

#include <gtest/gtest.h>

namespace antiphon {
namespace {

TEST(LatencyHistogramTest, NothingHasNoQuantile) {
  const LatencyHistogram histogram;
  EXPECT_EQ(histogram.Quantile(0.5), 0);
  EXPECT_EQ(histogram.count(), 0U);
}

TEST(LatencyHistogramTest, QuantilesAreRightToFivePercent) {
  LatencyHistogram histogram;
  for (int i = 1; i <= 1000; ++i) {
    histogram.Add(i * 1e-4);
  }
  EXPECT_NEAR(histogram.Quantile(0.5), 0.05, 0.05 * 0.05);
  EXPECT_NEAR(histogram.Quantile(0.99), 0.099, 0.05 * 0.099);
  EXPECT_NEAR(histogram.Quantile(1), 0.1, 0.05 * 0.1);
  EXPECT_NEAR(histogram.sum_seconds(), 50.05, 1e-9);
}

TEST(LatencyHistogramTest, WhatIsOutOfRangeCountsAsItsEnds) {
  LatencyHistogram histogram;
  histogram.Add(0);
  histogram.Add(1e9);
  EXPECT_LT(histogram.Quantile(0.5), 2e-6);
  EXPECT_GT(histogram.Quantile(1), 90000);
}

}  // namespace
}  // namespace antiphon
