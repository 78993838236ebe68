// ParseJobText: protobuf text to a Job, with an error that points at what is wrong.
//
// Never fails in another way than by its Status, whatever the bytes are. Pure function.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <google/protobuf/text_format.h>

#include "common/base/status.h"
#include "proto/job.pb.h"

namespace antiphon {

struct ParsedJob {
  Job job;
  std::shared_ptr<google::protobuf::TextFormat::ParseInfoTree> tree;
};

// A byte order mark and CRLF are fine. `file` is the name that errors begin with:
// "file:line:column: what, expected what".
StatusOr<ParsedJob> ParseJobText(const std::string& file, std::string_view text);

}  // namespace antiphon
