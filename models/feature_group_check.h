// CheckFeatureGroups: what can be wrong with model_config.feature_groups. Pure function.
#pragma once

#include "common/data/field_checks.h"
#include "proto/job.pb.h"

namespace antiphon {

// The job's model_class is a known one.
void CheckFeatureGroups(const Job& job, FieldChecks& checks);

}  // namespace antiphon
