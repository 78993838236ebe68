#include "common/ckpt/approximate_counter.h"

#include <cmath>

#include <gtest/gtest.h>

#include "common/base/rng.h"

namespace antiphon {
namespace {

uint32_t Random(Rng& rng) {
  return static_cast<uint32_t>(rng.Next() >> 32);
}

TEST(ApproximateCounterTest, IsExactUpTo4096) {
  Rng rng(1);
  ApproximateCount count = 0;

  for (uint64_t n = 1; n <= 4096; ++n) {
    count = AddToCount(count, 1, Random(rng));
    ASSERT_EQ(CountValue(count), n);
  }
}

TEST(ApproximateCounterTest, CodesAreInTheOrderOfTheirValues) {
  for (uint32_t code = 1; code <= 0xffff; ++code) {
    const uint64_t value = CountValue(static_cast<ApproximateCount>(code));
    const uint64_t before = CountValue(static_cast<ApproximateCount>(code - 1));
    ASSERT_GT(value, before);
    ASSERT_LE(value - before, std::max<uint64_t>(1, before / 2048)) << code;
  }
}

TEST(ApproximateCounterTest, AddingNothingChangesNothing) {
  for (uint32_t code = 0; code <= 0xffff; ++code) {
    const auto count = static_cast<ApproximateCount>(code);
    ASSERT_EQ(AddToCount(count, 0, 0), count);
    ASSERT_EQ(AddToCount(count, 0, ~0U), count);
  }
}

// Every step is exact in the mean, also where it crosses into a coarser exponent.
TEST(ApproximateCounterTest, OneAdditionHasNoBias) {
  for (const uint64_t start : {4096ULL, 8190ULL, 100'000ULL, 5'000'000ULL}) {
    Rng rng(start);
    ApproximateCount from = 0;
    while (CountValue(from) < start) {
      ++from;
    }
    constexpr int kTrials = 200'000;
    for (const uint32_t n : {1U, 3U, 1000U}) {
      double added = 0;
      for (int i = 0; i < kTrials; ++i) {
        added += static_cast<double>(CountValue(AddToCount(from, n, Random(rng)))) -
                 static_cast<double>(CountValue(from));
      }
      const auto gap = static_cast<double>(start) / 2048;
      const double error = std::sqrt(std::min<double>(n, gap) * gap / kTrials);
      EXPECT_NEAR(added / kTrials, n, 5 * error) << "from " << start << " by " << n;
    }
  }
}

TEST(ApproximateCounterTest, LongCountsStayNearTheTruth) {
  Rng rng(3);
  double sum = 0;
  constexpr int kCounters = 40;
  for (int i = 0; i < kCounters; ++i) {
    ApproximateCount count = 0;
    for (int n = 0; n < 200'000; ++n) {
      count = AddToCount(count, 1, Random(rng));
    }
    EXPECT_NEAR(static_cast<double>(CountValue(count)), 200'000, 12'000);
    sum += static_cast<double>(CountValue(count));
  }

  EXPECT_NEAR(sum / kCounters, 200'000, 2'000);
}

TEST(ApproximateCounterTest, StopsAtTheLargestValue) {
  ApproximateCount count = 0xffff;

  count = AddToCount(count, 0xffffffff, 0);

  EXPECT_EQ(count, 0xffff);
  EXPECT_GT(kMaxCountValue, 4'000'000'000'000ULL);
}

}  // namespace
}  // namespace antiphon
