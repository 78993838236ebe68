// What differs between a job that runs and its edited file beyond what an extension may add.
// models/job_extension.h says what that is. Pure function.
#pragma once

#include <vector>

#include "common/data/field_error.h"
#include "proto/job.pb.h"

namespace antiphon {

// Paths are those of `edited`. Both jobs have their defaults filled in. Empty: `edited` only adds.
std::vector<FieldError> FindChangedFields(const Job& running, const Job& edited);

}  // namespace antiphon
