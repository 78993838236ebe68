// TaskSummary: what sums say of a task, in numbers that people read. Pure functions of the sums.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "common/math/task_sums.h"
#include "proto/plan.pb.h"

namespace antiphon {

// Numbers that are not defined are NaN.
struct MetricSummary {
  uint64_t samples = 0;  // with a known label
  double positives = 0;  // weighted; of a task that learns a probability
  double auc = std::numeric_limits<double>::quiet_NaN();
  double logloss = std::numeric_limits<double>::quiet_NaN();
  double pcoc = std::numeric_limits<double>::quiet_NaN();
  double ne = std::numeric_limits<double>::quiet_NaN();
  double gauc = std::numeric_limits<double>::quiet_NaN();  // unless the job asks for it
  // Of a task that learns a number; its pcoc is predicted over actual sum.
  double mse = std::numeric_limits<double>::quiet_NaN();
  double mae = std::numeric_limits<double>::quiet_NaN();
  // Of a task that learns an order.
  double pair_accuracy = std::numeric_limits<double>::quiet_NaN();
};

struct TaskSummary {
  MetricSummary all;
  std::vector<MetricSummary> scenes;  // in the plan's order; empty without scenes
};

// At least 1: a job without scenes has one.
size_t SceneCount(const TrainingPlan& plan);

// [task * SceneCount + scene]
using SceneSums = std::vector<TaskSums>;

SceneSums NewSceneSums(const TrainingPlan& plan);
std::vector<TaskSummary> Summarize(const SceneSums& sums, const TrainingPlan& plan);

}  // namespace antiphon
