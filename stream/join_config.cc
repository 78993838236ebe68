#include "stream/join_config.h"

#include <algorithm>
#include <string>
#include <vector>

#include "common/base/hash.h"
#include "common/base/text.h"

namespace antiphon {
namespace {

std::vector<std::string> AddedFields(const DataConfig& samples, const JoinRules& rules) {
  std::vector<std::string> added = rules.columns;
  if (!samples.stream().join().known_until_field().empty()) {
    added.push_back(samples.stream().join().known_until_field());
  }
  return added;
}

// Columns have no names: what joining adds stands behind them.
Status CheckLastColumns(const DataConfig& samples, const std::vector<std::string>& added) {
  std::vector<std::string> last;
  const int first = samples.input_fields_size() - static_cast<int>(added.size());
  for (int i = std::max(first, 0); i < samples.input_fields_size(); ++i) {
    last.push_back(samples.input_fields(i).input_name());
  }
  if (last == added) {
    return Status();
  }
  return InvalidArgumentError(
      "data_config.input_fields: the last are " + Join(last, ", ") +
      ", expected what data_config.stream.join adds, in its order: " + Join(added, ", "));
}

// In slot text the labels are the first words.
Status CheckLabelOrder(const DataConfig& samples, const JoinRules& rules) {
  const std::vector<std::string> labels(samples.label_fields().begin(),
                                        samples.label_fields().end());
  if (labels == rules.columns) {
    return Status();
  }
  return InvalidArgumentError("data_config.label_fields: are " + Join(labels, ", ") +
                              ", expected the labels of data_config.stream.join in its order: " +
                              Join(rules.columns, ", "));
}

}  // namespace

StatusOr<DataConfig> EventsOfJob(const DataConfig& samples, const JoinRules& rules) {
  const std::vector<std::string> added = AddedFields(samples, rules);
  if (samples.input_type() == DataConfig::CSVInput) {
    AP_RETURN_IF_ERROR(CheckLastColumns(samples, added));
  }
  if (samples.input_type() == DataConfig::SlotTextInput) {
    AP_RETURN_IF_ERROR(CheckLabelOrder(samples, rules));
  }
  DataConfig events = samples;
  events.clear_label_fields();
  auto& fields = *events.mutable_input_fields();
  for (int i = fields.size() - 1; i >= 0; --i) {
    if (std::find(added.begin(), added.end(), fields[i].input_name()) != added.end()) {
      fields.DeleteSubrange(i, 1);
    }
  }
  return events;
}

uint64_t JoinDigest(const DataConfig& events, size_t outlets) {
  DataConfig decisive;
  decisive.set_input_type(events.input_type());
  *decisive.mutable_input_fields() = events.input_fields();
  decisive.set_separator(events.separator());
  JoinConfig& join = *decisive.mutable_stream()->mutable_join();
  join = events.stream().join();
  // These may change from life to life.
  join.clear_max_memory_bytes();
  join.clear_idle_partition_seconds();
  join.clear_max_ahead_seconds();
  join.clear_worker();
  return HashBytes(decisive.SerializeAsString()) ^ Mix64(outlets);
}

}  // namespace antiphon
