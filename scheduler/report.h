// The report of a job as JSON, for programs: --report=FILE.
//
//   samples              positions that every lane has applied, in this run
//   seconds              from the first training lease to the end of the last training partition
//   eval.<task>          of the last evaluation; `scenes` below it when the job has scenes
//   epochs[]             each evaluation
//   train.<task>         progressive: each sample is predicted before it is learned
//   task_weights.<task>  weight and its mean over time, where a loss_weight_strategy sets them
//
// A number that is not defined is null. Pure.
#pragma once

#include <string>

#include "scheduler/job_view.h"

namespace antiphon {

std::string ReportJson(const JobView& job);

}  // namespace antiphon
