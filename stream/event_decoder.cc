#include "stream/event_decoder.h"

#include <utility>
#include <vector>

#include "common/base/text.h"

namespace antiphon {
namespace {

// Times below this are seconds since 1970 (until the year 5138), the others milliseconds.
constexpr int64_t kFirstMilliseconds = 100'000'000'000;

StatusOr<uint32_t> FieldNumber(const DataConfig& data, const std::string& path,
                               const std::string& name) {
  for (int i = 0; i < data.input_fields_size(); ++i) {
    if (data.input_fields(i).input_name() == name) {
      return static_cast<uint32_t>(i);
    }
  }
  return InvalidArgumentError("stream.join." + path + ": " +
                              (name.empty() ? "is missing" : name + " is not an input field"));
}

}  // namespace

EventDecoder::EventDecoder(const Fields& fields, std::string impression_kind,
                           std::unique_ptr<RecordDecoder> records, size_t input_fields)
    : fields_(fields),
      impression_kind_(std::move(impression_kind)),
      records_(std::move(records)),
      row_(input_fields) {}

StatusOr<EventDecoder> EventDecoder::Create(const DataConfig& data, const std::string& path,
                                            std::string_view header) {
  const JoinConfig& join = data.stream().join();
  Fields fields;
  AP_ASSIGN_OR_RETURN(fields.request, FieldNumber(data, "request_field", join.request_field()));
  AP_ASSIGN_OR_RETURN(fields.time, FieldNumber(data, "time_field", join.time_field()));
  AP_ASSIGN_OR_RETURN(fields.kind, FieldNumber(data, "kind_field", join.kind_field()));
  if (join.has_value_field()) {
    AP_ASSIGN_OR_RETURN(fields.value, FieldNumber(data, "value_field", join.value_field()));
  }
  const auto input_fields = static_cast<size_t>(data.input_fields_size());
  std::vector<FieldUse> uses(input_fields);
  for (const uint32_t field : {fields.request, fields.time, fields.kind}) {
    uses[field].as_text = true;
  }
  if (fields.value.has_value()) {
    uses[*fields.value].as_text = true;
  }
  AP_ASSIGN_OR_RETURN(std::unique_ptr<RecordDecoder> records,
                      MakeRecordDecoder(data, uses, path, header));
  return EventDecoder(fields, join.impression_kind(), std::move(records), input_fields);
}

bool EventDecoder::Decode(std::string_view record, JoinEvent& event) {
  if (records_->Decode(record, row_) != BadRowReason::kNone) {
    return false;
  }
  const std::optional<int64_t> time = ParseInt(row_.values[fields_.time]);
  const std::string_view value = fields_.value.has_value() ? row_.values[*fields_.value] : "";
  const std::optional<double> number = value.empty() ? 0.0 : ParseFloat(value);
  if (!time.has_value() || *time < 0 || *time > 1000 * kFirstMilliseconds || !number.has_value() ||
      row_.values[fields_.request].empty()) {
    return false;
  }
  event.request = row_.values[fields_.request];
  event.time_ms = *time < kFirstMilliseconds ? *time * 1000 : *time;
  event.is_impression = row_.values[fields_.kind] == impression_kind_;
  event.fields = event.is_impression ? record : std::string_view();
  event.kind = event.is_impression ? std::string_view() : row_.values[fields_.kind];
  event.value = *number;
  return true;
}

}  // namespace antiphon
