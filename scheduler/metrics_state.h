// What the parts of MetricsState are made of, both ways. Messages come from a journal that has
// checksums; what contradicts itself or the plan is kInvalidArgument all the same. Pure functions.
#pragma once

#include <cstddef>
#include <vector>

#include <google/protobuf/repeated_ptr_field.h>

#include "common/base/status.h"
#include "proto/metrics_state.pb.h"
#include "proto/plan.pb.h"
#include "scheduler/metric_windows.h"
#include "scheduler/task_summary.h"

namespace antiphon {

using TaskMetricsList = google::protobuf::RepeatedPtrField<TaskMetrics>;
using TaskSummaryList = google::protobuf::RepeatedPtrField<TaskSummaryState>;

// Sums of nothing are left out.
void SaveSums(const SceneSums& sums, const TrainingPlan& plan, TaskMetricsList* out);
StatusOr<SceneSums> LoadSums(const TaskMetricsList& saved, const TrainingPlan& plan);

void SaveParts(const std::vector<MetricPart>& parts, const TrainingPlan& plan,
               TaskMetricsList* out);
StatusOr<std::vector<MetricPart>> LoadParts(const TaskMetricsList& saved, const TrainingPlan& plan);

// Numbers that are not defined are left out.
void SaveSummaries(const std::vector<TaskSummary>& tasks, TaskSummaryList* out);
std::vector<TaskSummary> LoadSummaries(const TaskSummaryList& saved);

}  // namespace antiphon
