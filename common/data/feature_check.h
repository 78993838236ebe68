// The part of CheckJob that looks at feature_config: each feature by itself, features that share a
// table, and labels that leak into features. Pure function.
#pragma once

#include <string>
#include <vector>

#include "common/data/field_checks.h"
#include "proto/job.pb.h"

namespace antiphon {

void CheckFeatures(const Job& job, const std::vector<std::string>& input_fields,
                   FieldChecks& checks);

}  // namespace antiphon
