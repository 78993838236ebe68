// A job file that was read and of which everything has been checked that can be said without data.
#pragma once

#include <span>
#include <string>

#include "common/base/file_system.h"
#include "common/base/status.h"
#include "common/data/job_file.h"

namespace antiphon {

// Loads a job and checks all of it, its model included: every error is a line of the status,
// "file:line:column: what, expected what".
StatusOr<JobFile> LoadCheckedJob(FileSystem& fs, const std::string& path,
                                 std::span<const std::string> overrides);

}  // namespace antiphon
