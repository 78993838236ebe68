// SampleRecord: a joined sample as a record, the impression's own with its labels behind.
//
// What was served stays as it was written. A frozen value.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "join/join_event.h"
#include "join/join_rules.h"
#include "proto/job.pb.h"

namespace antiphon {

class SampleRecord {
 public:
  // kInvalidArgument: events of this format cannot become samples.
  static StatusOr<SampleRecord> Create(const DataConfig& data, const JoinRules& rules);

  std::string Of(const JoinedSample& sample) const;

  // The first line of a file of such records, with its end; empty where there is none. `events` is
  // that of the files of impressions.
  std::string Header(std::string_view events) const;

 private:
  SampleRecord() = default;

  std::string separator_;
  std::vector<std::string> columns_;
  std::string known_until_field_;
  bool has_header_ = false;
};

}  // namespace antiphon
