// CheckModelConfig: everything that can be wrong with model_config, as errors that name the field.
//
// CheckJob (common/data) says the rest. Pure function.
#pragma once

#include <vector>

#include "common/data/field_error.h"
#include "proto/job.pb.h"

namespace antiphon {

// Empty: the model can be built. Takes any job, with or without defaults filled in.
std::vector<FieldError> CheckModelConfig(const Job& job);

}  // namespace antiphon
