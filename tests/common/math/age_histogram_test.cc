#include "common/math/age_histogram.h"

#include <cmath>

#include <gtest/gtest.h>

namespace antiphon {
namespace {

TEST(AgeHistogramTest, QuantilesAreRightToAFifth) {
  AgeHistogram ages;
  for (int64_t age = 1; age <= 10'000; ++age) {
    ages.Add(age);
  }

  for (const double q : {0.01, 0.5, 0.9, 0.99}) {
    EXPECT_GE(ages.Quantile(q), q * 10'000 - 1) << q;
    EXPECT_LE(ages.Quantile(q), q * 10'000 * 1.2 + 2) << q;
  }
}

TEST(AgeHistogramTest, ExtremesHaveTheirBuckets) {
  AgeHistogram ages;
  EXPECT_TRUE(std::isnan(ages.Quantile(0.5)));
  ages.Add(-5);
  EXPECT_EQ(ages.Quantile(1), 0);
  ages.Add(int64_t{1} << 60);
  EXPECT_GT(ages.Quantile(1), 1e12);
}

TEST(AgeHistogramTest, EverythingIsOlderLater) {
  AgeHistogram ages;
  for (int64_t age = 1; age <= 10'000; ++age) {
    ages.Add(age);
  }

  for (const int64_t ms : {1, 700, 20'000}) {
    AgeHistogram later;
    later.MergeOlder(ages, ms);
    EXPECT_EQ(later.count(), ages.count());
    for (const double q : {0.1, 0.5, 0.99}) {
      const double truth = q * 10'000 + static_cast<double>(ms);
      EXPECT_NEAR(later.Quantile(q), truth, 0.3 * truth + 2) << ms << ", " << q;
    }
  }
  for (const int64_t ms : {0, -5}) {
    AgeHistogram same;
    same.MergeOlder(ages, ms);
    EXPECT_DOUBLE_EQ(same.Quantile(0.5), ages.Quantile(0.5));
  }
}

TEST(AgeHistogramTest, MergesAndCrossesTheWire) {
  AgeHistogram ages;
  ages.Add(100, 3);
  AgeHistogram others;
  others.Add(100'000);
  ages.Merge(others);
  SampleAges message;
  ages.ToProto(message);

  const StatusOr<AgeHistogram> read = AgeHistogram::FromProto(message);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->count(), 4u);
  EXPECT_DOUBLE_EQ(read->Quantile(0.5), ages.Quantile(0.5));
  EXPECT_DOUBLE_EQ(read->Quantile(1), ages.Quantile(1));
}

TEST(AgeHistogramTest, WhatIsOlderByAWhileIsInItsBuckets) {
  AgeHistogram at_cut;
  at_cut.Add(0, 2);
  at_cut.Add(6000, 2);

  AgeHistogram ages;
  ages.MergeOlder(at_cut, 3000);

  EXPECT_EQ(ages.count(), 4U);
  EXPECT_NEAR(ages.Quantile(0.5), 3000, 600);
  EXPECT_NEAR(ages.Quantile(1), 9000, 1800);
}

TEST(AgeHistogramTest, RefusesWhatContradictsItself) {
  SampleAges message;
  message.add_bucket(1);
  EXPECT_FALSE(AgeHistogram::FromProto(message).ok());
  message.set_bucket(0, 1'000'000);
  message.add_count(1);
  EXPECT_FALSE(AgeHistogram::FromProto(message).ok());
}

}  // namespace
}  // namespace antiphon
