// Which files a job reads: its paths and shell patterns as names of files that exist. Pure apart
// from the look at the disk.
#pragma once

#include <string>
#include <vector>

#include <google/protobuf/repeated_field.h>

#include "common/base/file_system.h"
#include "common/base/status.h"

namespace antiphon {

// The files of all `patterns`, each file once, sorted within a pattern. Relative patterns start at
// `folder`, and what they match is relative to it too: each process may have the folder elsewhere.
// A pattern that matches nothing is an error; `field` names it ("train_input_path").
StatusOr<std::vector<std::string>> FindInputFiles(
    FileSystem& fs, const std::string& folder, const std::string& field,
    const google::protobuf::RepeatedPtrField<std::string>& patterns);

}  // namespace antiphon
