// LoadJob: the job file as everybody uses it, from the disk to a Job with its defaults.
#pragma once

#include <span>
#include <string>

#include "common/base/file_system.h"
#include "common/base/status.h"
#include "common/data/field_locations.h"
#include "proto/job.pb.h"

namespace antiphon {

struct JobFile {
  Job job;  // effective: overrides applied, defaults filled in
  FieldLocations locations;
  std::string folder;  // of the file: where the relative paths in the job start
};

// Reads `path`, applies the overrides ("train_config.sync_replicas=false") in order, fills in the
// defaults. Errors say "file:line:column: what, expected what" or name the override. The job is
// well formed but not yet checked: CheckJob and CheckModelConfig do that, `locations` places what
// they find.
StatusOr<JobFile> LoadJob(FileSystem& fs, const std::string& path,
                          std::span<const std::string> overrides);

// `path` as it stands when it is absolute, otherwise below `folder`.
std::string ResolvePath(const std::string& folder, const std::string& path);

}  // namespace antiphon
