#include "scheduler/sample_age_log.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include <gtest/gtest.h>

namespace antiphon {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

const Time kStart = Time(hours(5));

AgeHistogram Ages(int64_t age_ms, uint64_t count = 1) {
  AgeHistogram ages;
  ages.Add(age_ms, count);
  return ages;
}

TEST(SampleAgeLogTest, SamplesGrowOlderUntilTheCut) {
  SampleAgeLog log;
  log.Add(kStart, Ages(2'000, 10));
  log.Add(kStart + seconds(8), Ages(1'000, 10));

  const AgeHistogram ages = log.Cut(kStart + seconds(9));

  EXPECT_EQ(ages.count(), 20U);
  EXPECT_NEAR(ages.Quantile(0.5), 2'000, 500);
  EXPECT_NEAR(ages.Quantile(1), 11'000, 2'500);
}

TEST(SampleAgeLogTest, ACommitForgetsWhatCameBeforeItsCutAndNothingElse) {
  SampleAgeLog log;
  log.Add(kStart, Ages(0, 3));
  EXPECT_EQ(log.Cut(kStart + seconds(1)).count(), 3U);
  log.Add(kStart + seconds(2), Ages(0, 5));
  log.Commit();

  EXPECT_EQ(log.Cut(kStart + seconds(3)).count(), 5U);
}

TEST(SampleAgeLogTest, WhatARoundThatFailedHadCountsTowardsTheNext) {
  SampleAgeLog log;
  log.Add(kStart, Ages(0, 3));
  log.Cut(kStart + seconds(1));
  log.Add(kStart + seconds(2), Ages(0, 5));

  const AgeHistogram ages = log.Cut(kStart + seconds(60));

  EXPECT_EQ(ages.count(), 8U);
  EXPECT_NEAR(ages.Quantile(0.5), 58'500, 12'000);
  log.Commit();
  EXPECT_EQ(log.Cut(kStart + seconds(70)).count(), 0U);
}

// A day of reports and of rounds that fail: what is kept together changes quantiles by less than
// the buckets do.
TEST(SampleAgeLogTest, ManyReportsAndFailedRoundsRoundNoMoreThanOneDoes) {
  SampleAgeLog log;
  std::vector<int64_t> truth;
  constexpr int kReports = 43'200;
  for (int i = 0; i < kReports; ++i) {
    const Time at = kStart + seconds(2 * i);
    const int64_t age_ms = 500 + i * 7919 % 3'000;
    log.Add(at, Ages(age_ms));
    truth.push_back(2'000 * int64_t{kReports - i} + age_ms);
    if (i % 300 == 0) {
      log.Cut(at);
    }
  }
  std::ranges::sort(truth);

  const AgeHistogram ages = log.Cut(kStart + seconds(2 * kReports));

  EXPECT_EQ(ages.count(), truth.size());
  for (const double q : {0.001, 0.01, 0.1, 0.5, 0.9, 0.99}) {
    const auto expected = static_cast<double>(truth[static_cast<size_t>(q * kReports)]);
    EXPECT_NEAR(ages.Quantile(q), expected, 0.25 * expected) << q;
  }
}

}  // namespace
}  // namespace antiphon
