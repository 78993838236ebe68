// CheckJob: everything that can be said about a job without looking at its data or its model.
// CheckModelConfig (models/) says the rest. Pure function.
#pragma once

#include <vector>

#include "common/data/field_error.h"
#include "proto/job.pb.h"

namespace antiphon {

// Every error of the job as LoadJob returns it (defaults filled in), in the order of the schema.
// Empty: the job is fine.
std::vector<FieldError> CheckJob(const Job& job);

}  // namespace antiphon
