// The part of CheckJob that looks at data_config.stream and at what a job may not ask for when its
// data never ends. Pure function.
#pragma once

#include "common/data/field_checks.h"
#include "proto/job.pb.h"

namespace antiphon {

void CheckStream(const Job& job, FieldChecks& checks);

}  // namespace antiphon
