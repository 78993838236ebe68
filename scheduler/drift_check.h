// The two judgements of a model that is watched: whether a window is off, and whether a snapshot is
// good enough to be served. Pure functions of the numbers and of what the job file asks for.
#pragma once

#include <string>
#include <vector>

#include "proto/plan.pb.h"
#include "scheduler/task_summary.h"

namespace antiphon {

// One line for each bound of the job's drift alarms that the window breaks. `reference` is what a
// fall of AUC is measured from: the fading totals before the window; empty for the first one.
std::vector<std::string> CheckDrift(const TrainingPlan& plan,
                                    const std::vector<TaskSummary>& window,
                                    const std::vector<TaskSummary>& reference);

// One line for each condition of the job's `promotion` that the fading totals do not meet: with
// none the snapshot is promoted. What is not defined meets nothing.
std::vector<std::string> CheckPromotion(const TrainingPlan& plan,
                                        const std::vector<TaskSummary>& fading);

}  // namespace antiphon
