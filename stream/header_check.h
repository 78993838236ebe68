// Whether files have the columns that a job reads: what a worker would find out when it opens them.
#pragma once

#include <string>

#include "common/base/file_system.h"
#include "common/base/status.h"
#include "common/data/batch_builder.h"
#include "proto/job.pb.h"
#include "proto/plan.pb.h"

namespace antiphon {

// Looks at the header of every file of the plan, where the job's files have one; relative paths
// start at `folder`. Files that are not to be seen from here are left out. kInvalidArgument with
// the file and the column that it lacks.
Status CheckHeaders(const Job& job, const TrainingPlan& plan, const LabelColumns& labels,
                    const std::string& folder, FileSystem& fs);

}  // namespace antiphon
