// Files of protobuf text that say where events or samples are, for programs that have no job.
#pragma once

#include <string>

#include "common/base/file_system.h"
#include "common/base/status.h"
#include "proto/job.pb.h"

namespace antiphon {

// A data_config, or a stream of one. Relative folders in it begin where the file lies, and come out
// absolute, or as relative as the file's path is. kInvalidArgument: "file:line:column: what".
StatusOr<DataConfig> LoadDataConfig(FileSystem& fs, const std::string& path);
StatusOr<StreamConfig> LoadStreamConfig(FileSystem& fs, const std::string& path);

}  // namespace antiphon
