// Checks what the job says about windows, drift and promotion. Part of CheckModelConfig, which has
// found a model class.
#pragma once

#include "common/data/field_checks.h"
#include "proto/job.pb.h"

namespace antiphon {

void CheckWatch(const Job& job, FieldChecks& checks);

}  // namespace antiphon
