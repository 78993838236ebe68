// Checks what the job says about losses, isolation, late labels and the balance of tasks. Part of
// CheckModelConfig, which has found a model class and has checked the towers' names.
#pragma once

#include "common/data/field_checks.h"
#include "proto/job.pb.h"

namespace antiphon {

void CheckLosses(const Job& job, FieldChecks& checks);

}  // namespace antiphon
