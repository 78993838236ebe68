// Extends the plan of a running job by what its edited job file has more: tasks, scenes, and what
// they bring.
//
// What is trained on stays: partitions and what was fitted are the running plan's, and every field
// that is there has its value. New are, anywhere in their lists: scenes, task towers (events of a
// funnel), labels, feature groups, lines of scene_tasks; behind the others: features that need no
// pass over the data, and values of a vocab_list that is of the scene field. Alarms and conditions
// of a promotion may be others, since nothing is trained by them.
#pragma once

#include "common/base/status.h"
#include "common/data/job_file.h"
#include "proto/plan.pb.h"

namespace antiphon {

// The plan as `edited`, which has passed its checks, wants it. Its dense blocks stand in the order
// of a new job; the scheduler puts those that it has in front. kInvalidArgument with a line for
// each field that an extension may not change, "file:line:column: field: what, what to do". Pure
// function.
StatusOr<TrainingPlan> ExtendPlan(const TrainingPlan& running, const JobFile& edited);

}  // namespace antiphon
