// ps_ctl extend: gives a running job the tasks and scenes that its edited job file has more.
#pragma once

#include <string>

#include "common/base/file_system.h"
#include "common/base/status.h"
#include "common/data/job_file.h"
#include "tools/ctl/commands.h"

namespace antiphon {

// `edited` was loaded from `path` and has passed its checks. Waits until the cluster trains by it.
// kHealthy also when it does so already; an error says which field may not be what it is, or which
// file lacks a column, as far as files are to be seen through `fs`.
StatusOr<CtlExit> ExtendJob(CtlContext& context, FileSystem& fs, const std::string& path,
                            const JobFile& edited);

}  // namespace antiphon
