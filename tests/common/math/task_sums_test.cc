#include "common/math/task_sums.h"

#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

namespace antiphon {
namespace {

TEST(RegressionMetricsTest, MeasuresErrorsAndLevel) {
  RegressionMetrics metrics;
  metrics.Add(3, 1);
  metrics.Add(-1, 0, 2);
  metrics.Add(5, 5, 0);  // no sample

  EXPECT_EQ(metrics.count(), 2U);
  EXPECT_DOUBLE_EQ(metrics.MeanSquaredError(), (4.0 + 2 * 1) / 3);
  EXPECT_DOUBLE_EQ(metrics.MeanAbsoluteError(), (2.0 + 2 * 1) / 3);
  EXPECT_DOUBLE_EQ(metrics.Ratio(), 1);
}

TEST(RegressionMetricsTest, WhatIsNotDefinedIsNan) {
  const RegressionMetrics none;

  EXPECT_TRUE(std::isnan(none.MeanSquaredError()));
  EXPECT_TRUE(std::isnan(none.MeanAbsoluteError()));
  EXPECT_TRUE(std::isnan(none.Ratio()));
}

TEST(RegressionMetricsTest, OutputThatDivergedStaysASum) {
  RegressionMetrics metrics;
  metrics.Add(std::numeric_limits<double>::infinity(), 1);
  metrics.Add(std::nan(""), 1);
  RegressionSums wire;
  metrics.ToProto(wire);

  EXPECT_TRUE(RegressionMetrics::FromProto(wire).ok());
}

TEST(PairMetricsTest, CountsPairsInOrder) {
  PairMetrics metrics;
  const std::vector<PairMetrics::Sample> first = {{0.9F, 1}, {0.1F, 0}, {0.9F, 0}};
  const std::vector<PairMetrics::Sample> second = {{0.2F, 2}, {0.5F, 1}};
  metrics.Add(first);   // one in order, one tie
  metrics.Add(second);  // one the wrong way round

  EXPECT_EQ(metrics.count(), 5U);
  EXPECT_DOUBLE_EQ(metrics.Accuracy(), 1.5 / 3);
  EXPECT_TRUE(std::isnan(PairMetrics().Accuracy()));
}

TEST(TaskSumsTest, ProtoKeepsAndMergesEverything) {
  TaskSums sums;
  sums.probability.Add(0.5F, true);
  sums.number.Add(2, 1);
  const std::vector<PairMetrics::Sample> request = {{1, 1}, {0, 0}};
  sums.order.Add(request);
  TaskMetrics wire;
  sums.ToProto(wire);

  StatusOr<TaskSums> read = TaskSums::FromProto(wire);
  ASSERT_TRUE(read.ok()) << read.status();
  read->Merge(sums);

  EXPECT_EQ(read->count(), 2U + 2 + 4);
  EXPECT_DOUBLE_EQ(read->number.MeanSquaredError(), 1);
  EXPECT_DOUBLE_EQ(read->order.Accuracy(), 1);
}

TEST(TaskSumsTest, RejectsProtoThatContradictsItself) {
  TaskMetrics negative;
  negative.mutable_regression()->set_squared_error(-1);
  TaskMetrics endless;
  endless.mutable_regression()->set_predicted(std::nan(""));
  TaskMetrics too_good;
  too_good.mutable_pairs()->set_in_order(1);

  for (const TaskMetrics& bad : {negative, endless, too_good}) {
    EXPECT_EQ(TaskSums::FromProto(bad).status().code(), StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace antiphon
