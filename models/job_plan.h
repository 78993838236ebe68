// What follows from a job alone of the plan that everybody trains by, and the job of a plan. Pure
// functions.
#pragma once

#include "common/base/status.h"
#include "proto/job.pb.h"
#include "proto/plan.pb.h"

namespace antiphon {

// Everything but features and partitions, which come from data (stream/data_plan.h). `job` has
// passed its checks.
StatusOr<TrainingPlan> PlanWithoutData(const Job& job);

// kDataLoss when the plan's job cannot be read.
StatusOr<Job> JobOfPlan(const TrainingPlan& plan);

}  // namespace antiphon
