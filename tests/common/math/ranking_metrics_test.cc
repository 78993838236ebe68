#include "common/math/ranking_metrics.h"

#include <cmath>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/base/rng.h"
#include "tests/support/golden_vector.h"

namespace antiphon {
namespace {

using nlohmann::json;

// `logits` with labels from their own probabilities, so that AUC lies well above one half.
RankingMetrics RandomMetrics(uint64_t seed, int count, double weight = 1) {
  Rng rng(seed);
  RankingMetrics metrics;
  for (int i = 0; i < count; ++i) {
    const auto logit = static_cast<float>(rng.Normal() * 2 - 1);
    metrics.AddForUser(rng.Below(20), logit, rng.Chance(1 / (1 + std::exp(-logit))), weight);
  }
  return metrics;
}

TEST(RankingMetricsTest, EqualsReferenceVector) {
  const json vector = LoadVector("metrics");
  const json& inputs = vector["inputs"];
  const json& expected = vector["outputs"];
  RankingMetrics metrics;

  for (size_t i = 0; i < inputs["a"].size(); ++i) {
    metrics.AddForUser(inputs["user"][i].get<uint64_t>(), inputs["a"][i].get<float>(),
                       inputs["y"][i].get<int>() == 1);
  }

  EXPECT_NEAR(metrics.Auc(), expected["auc"].get<double>(), 1e-12);
  EXPECT_NEAR(metrics.HistogramAuc(), expected["auc_histogram"].get<double>(), 1e-12);
  // The logits come as float, their log loss so to 1e-7.
  EXPECT_NEAR(metrics.LogLoss(), expected["logloss"].get<double>(), 1e-6);
  EXPECT_NEAR(metrics.BaseRate(), expected["base_rate"].get<double>(), 1e-12);
  EXPECT_NEAR(metrics.Ne(), expected["ne"].get<double>(), 1e-6);
  EXPECT_NEAR(metrics.Pcoc(), expected["pcoc"].get<double>(), 1e-6);
  const json& gauc = expected["gauc"];
  EXPECT_NEAR(metrics.Gauc(GaucReduction::kMean), gauc["by_one"].get<double>(), 1e-12);
  EXPECT_NEAR(metrics.Gauc(GaucReduction::kMeanBySampleNum), gauc["by_samples"].get<double>(),
              1e-12);
  EXPECT_NEAR(metrics.Gauc(GaucReduction::kMeanByPositiveNum), gauc["by_positives"].get<double>(),
              1e-12);
}

TEST(RankingMetricsTest, AllLogitsEqualGiveOneHalf) {
  RankingMetrics metrics;
  for (int i = 0; i < 10; ++i) {
    metrics.Add(0.5F, i % 3 == 0);
  }

  EXPECT_EQ(metrics.Auc(), 0.5);
  EXPECT_EQ(metrics.HistogramAuc(), 0.5);
}

TEST(RankingMetricsTest, WhatIsNotDefinedIsNan) {
  RankingMetrics none;
  RankingMetrics negatives;
  negatives.AddForUser(1, 0.1F, false);
  negatives.AddForUser(1, 0.2F, false);

  EXPECT_TRUE(std::isnan(none.LogLoss()));
  EXPECT_TRUE(std::isnan(none.Auc()));
  EXPECT_TRUE(std::isnan(negatives.Auc()));
  EXPECT_TRUE(std::isnan(negatives.HistogramAuc()));
  EXPECT_TRUE(std::isnan(negatives.Ne()));
  EXPECT_TRUE(std::isnan(negatives.Pcoc()));
  EXPECT_TRUE(std::isnan(negatives.Gauc(GaucReduction::kMean)));
  EXPECT_FALSE(std::isnan(negatives.LogLoss()));
}

TEST(RankingMetricsTest, SampleOfNoWeightIsNoSample) {
  RankingMetrics metrics = RandomMetrics(1, 50);
  const double auc = metrics.Auc();

  metrics.Add(100, false, 0);

  EXPECT_EQ(metrics.count(), 50U);
  EXPECT_EQ(metrics.Auc(), auc);
}

TEST(RankingMetricsTest, WeightsCountInTheHistogram) {
  RankingMetrics weighted;
  weighted.Add(1, true, 2);
  weighted.Add(2, false, 3);
  weighted.Add(0, false, 1);
  RankingMetrics repeated;
  for (int i = 0; i < 2; ++i)
    repeated.Add(1, true);
  for (int i = 0; i < 3; ++i)
    repeated.Add(2, false);
  repeated.Add(0, false);

  EXPECT_DOUBLE_EQ(weighted.Auc(), repeated.Auc());
  EXPECT_DOUBLE_EQ(weighted.LogLoss(), repeated.LogLoss());
  EXPECT_DOUBLE_EQ(weighted.Ne(), repeated.Ne());
  EXPECT_DOUBLE_EQ(weighted.Pcoc(), repeated.Pcoc());
}

TEST(RankingMetricsTest, HistogramStaysNearTheExactValueOfALargeSet) {
  const RankingMetrics exact = RandomMetrics(3, static_cast<int>(kMaxExactPairs));
  RankingMetrics large = exact;

  EXPECT_NEAR(exact.HistogramAuc(), exact.Auc(), 1e-4);
  large.Merge(RandomMetrics(4, 1));
  EXPECT_EQ(large.Auc(), large.HistogramAuc());
}

TEST(RankingMetricsTest, MergesInAnyOrder) {
  RankingMetrics forward = RandomMetrics(5, 300);
  RankingMetrics backward = RandomMetrics(6, 200);

  forward.Merge(RandomMetrics(6, 200));
  backward.Merge(RandomMetrics(5, 300));

  EXPECT_EQ(forward.count(), 500U);
  EXPECT_EQ(forward.Auc(), backward.Auc());
  EXPECT_EQ(forward.HistogramAuc(), backward.HistogramAuc());
  EXPECT_NEAR(forward.LogLoss(), backward.LogLoss(), 1e-12);
  EXPECT_EQ(forward.Gauc(GaucReduction::kMeanBySampleNum),
            backward.Gauc(GaucReduction::kMeanBySampleNum));
}

TEST(RankingMetricsTest, MergedPartsEqualTheWhole) {
  RankingMetrics whole;
  RankingMetrics even;
  RankingMetrics odd;
  Rng rng(11);
  for (int i = 0; i < 400; ++i) {
    const auto logit = static_cast<float>(rng.Normal());
    const bool positive = rng.Chance(0.3);
    whole.Add(logit, positive);
    (i % 2 == 0 ? even : odd).Add(logit, positive);
  }

  even.Merge(odd);

  EXPECT_EQ(even.Auc(), whole.Auc());
  EXPECT_NEAR(even.LogLoss(), whole.LogLoss(), 1e-12);
  EXPECT_NEAR(even.Pcoc(), whole.Pcoc(), 1e-12);
}

TEST(RankingMetricsTest, ProtoKeepsEverything) {
  const RankingMetrics metrics = RandomMetrics(8, 1000, 0.5);
  TaskMetrics wire;

  metrics.ToProto(wire);
  StatusOr<RankingMetrics> read = RankingMetrics::FromProto(wire);

  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->count(), metrics.count());
  EXPECT_EQ(read->weight(), metrics.weight());
  EXPECT_EQ(read->Auc(), metrics.Auc());
  EXPECT_EQ(read->Ne(), metrics.Ne());
  EXPECT_EQ(read->Pcoc(), metrics.Pcoc());
  EXPECT_EQ(read->Gauc(GaucReduction::kMean), metrics.Gauc(GaucReduction::kMean));
}

TEST(RankingMetricsTest, RejectsProtoThatContradictsItself) {
  TaskMetrics good;
  RandomMetrics(9, 10).ToProto(good);
  TaskMetrics uneven = good;
  uneven.add_negative(1);
  TaskMetrics far_bucket = good;
  far_bucket.set_bucket(0, 4096);
  TaskMetrics unlabelled = good;
  unlabelled.add_logit(1);
  TaskMetrics negative = good;
  negative.set_weight(-1);

  for (const TaskMetrics& bad : {uneven, far_bucket, unlabelled, negative}) {
    EXPECT_EQ(RankingMetrics::FromProto(bad).status().code(), StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace antiphon
