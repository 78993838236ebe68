// SampleRecord: a joined sample as a record, the impression's own with its labels added.
//
// What was served stays as it was written:
//
//   CSVInput        the labels are columns behind the others
//   SlotTextInput   the labels are the first words, as a job's label_fields are
//   ProtobufInput   the labels are further fields, TFRecordInput: further features, by name
//
// A label that is not known is empty ("-" in slot text), a time is a further column, slot or field.
// A frozen value.
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

  std::string CsvOf(const JoinedSample& sample) const;
  std::string SlotTextOf(const JoinedSample& sample) const;
  std::string ProtobufOf(const JoinedSample& sample) const;
  std::string TfExampleOf(const JoinedSample& sample) const;

  DataConfig::InputType type_ = DataConfig::CSVInput;
  std::string separator_;
  std::vector<std::string> columns_;
  std::string known_until_field_;
  bool has_header_ = false;
};

}  // namespace antiphon
