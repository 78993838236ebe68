#include "tools/join/folder_events.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "common/base/text.h"

namespace antiphon {
namespace {

constexpr int kOffsetBits = 40;
// Times below this are seconds since 1970 (until the year 5138), the others milliseconds.
constexpr int64_t kFirstMilliseconds = 100'000'000'000;

// The last digits of a name up to its first dot.
std::optional<uint64_t> SegmentNumber(std::string_view name) {
  const std::string_view stem = name.substr(0, name.find('.'));
  size_t begin = stem.size();
  while (begin > 0 && std::isdigit(static_cast<unsigned char>(stem[begin - 1])) != 0) {
    --begin;
  }
  return ParseUint(stem.substr(begin));
}

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

StatusOr<std::unique_ptr<FolderEvents>> FolderEvents::Create(const DataConfig& data,
                                                             const std::string& folder,
                                                             FileSystem& fs, Clock& clock) {
  const JoinConfig& join = data.stream().join();
  Fields fields;
  AP_ASSIGN_OR_RETURN(fields.request, FieldNumber(data, "request_field", join.request_field()));
  AP_ASSIGN_OR_RETURN(fields.time, FieldNumber(data, "time_field", join.time_field()));
  AP_ASSIGN_OR_RETURN(fields.kind, FieldNumber(data, "kind_field", join.kind_field()));
  if (join.has_value_field()) {
    AP_ASSIGN_OR_RETURN(fields.value, FieldNumber(data, "value_field", join.value_field()));
  }
  return std::unique_ptr<FolderEvents>(new FolderEvents(data, folder, fields, fs, clock));
}

Status FolderEvents::Seek(Position position) {
  begin_ = position;
  position_ = position;
  reader_.reset();
  return Status();
}

Status FolderEvents::Look() {
  const auto poll_every = std::chrono::milliseconds(data_.stream().folder().poll_ms());
  const Time now = clock_.Now();
  if (looked_at_.has_value() && now - *looked_at_ < poll_every) {
    return Status();
  }
  looked_at_ = now;
  if (!fs_.IsDirectory(folder_)) {
    return Status();
  }
  const std::string& end_marker = data_.stream().folder().end_marker();
  // First the marker, then the list: what is there with the marker is all there will be.
  has_end_ = fs_.Exists(folder_ + "/" + end_marker);
  AP_ASSIGN_OR_RETURN(const std::vector<std::string> names, fs_.List(folder_));
  for (const std::string& name : names) {
    if (name == end_marker || name.ends_with(".tmp")) {
      continue;
    }
    const std::optional<uint64_t> number = SegmentNumber(name);
    if (!number.has_value()) {
      return InvalidArgumentError(folder_ + "/" + name +
                                  ": has no number, expected a segment such as events-000017.csv");
    }
    segments_[*number] = name;
  }
  return Status();
}

StatusOr<bool> FolderEvents::OpenSegment() {
  AP_RETURN_IF_ERROR(Look());
  if (segments_.empty()) {
    return false;
  }
  if (!begin_.has_value()) {
    begin_ = segments_.begin()->first << kOffsetBits;
    position_ = *begin_;
  }
  const uint64_t number = position_ >> kOffsetBits;
  const auto found = segments_.find(number);
  if (found == segments_.end()) {
    if (segments_.upper_bound(number) != segments_.end()) {
      return OutOfRangeError(folder_ + ": segment " + std::to_string(number) +
                             " is wanted next and not there, but later ones are");
    }
    return false;
  }
  const std::string path = folder_ + "/" + found->second;
  const Header header = data_.with_header() ? Header::kPresent : Header::kAbsent;
  AP_ASSIGN_OR_RETURN(
      reader_, RecordReader::Open(fs_, path, {.separator = data_.separator(), .header = header}));
  std::vector<uint32_t> used = {fields_.request, fields_.time, fields_.kind};
  if (fields_.value.has_value()) {
    used.push_back(*fields_.value);
  }
  AP_ASSIGN_OR_RETURN(columns_, CsvColumns::Create(data_, used, path, reader_->header()));
  values_.resize(static_cast<size_t>(data_.input_fields_size()));
  const uint64_t offset = position_ & ((Position{1} << kOffsetBits) - 1);
  if (offset > 0) {
    AP_RETURN_IF_ERROR(reader_->Seek(0, offset));
  }
  return true;
}

StatusOr<std::optional<std::string>> FolderEvents::FirstLine() {
  AP_RETURN_IF_ERROR(Look());
  if (segments_.empty()) {
    return std::optional<std::string>();
  }
  AP_ASSIGN_OR_RETURN(
      const std::unique_ptr<RecordReader> first,
      RecordReader::Open(fs_, folder_ + "/" + segments_.begin()->second,
                         {.separator = data_.separator(), .header = Header::kPresent}));
  return std::optional(first->header());
}

StatusOr<EventReader::Outcome> FolderEvents::Next(JoinEvent& event) {
  while (true) {
    if (reader_ == nullptr) {
      AP_ASSIGN_OR_RETURN(const bool is_open, OpenSegment());
      if (!is_open) {
        return has_end_ ? Outcome::kEnd : Outcome::kNothing;
      }
    }
    Record record;
    AP_ASSIGN_OR_RETURN(const bool has_record, reader_->Next(record));
    if (has_record) {
      position_ = (position_ >> kOffsetBits) << kOffsetBits | reader_->next_offset();
      return MakeEvent(record, event) ? Outcome::kEvent : Outcome::kBadEvent;
    }
    position_ = ((position_ >> kOffsetBits) + 1) << kOffsetBits;
    reader_.reset();
  }
}

bool FolderEvents::MakeEvent(const Record& record, JoinEvent& event) {
  if (record.reason != BadRowReason::kNone ||
      columns_->Split(record.text, values_) != BadRowReason::kNone) {
    return false;
  }
  const JoinConfig& join = data_.stream().join();
  const std::optional<int64_t> time = ParseInt(values_[fields_.time]);
  const std::string_view value = fields_.value.has_value() ? values_[*fields_.value] : "";
  const std::optional<double> number = value.empty() ? 0.0 : ParseFloat(value);
  if (!time.has_value() || *time < 0 || *time > 1000 * kFirstMilliseconds || !number.has_value() ||
      values_[fields_.request].empty()) {
    return false;
  }
  event.request = values_[fields_.request];
  event.time_ms = *time < kFirstMilliseconds ? *time * 1000 : *time;
  event.is_impression = values_[fields_.kind] == join.impression_kind();
  event.fields = event.is_impression ? record.text : std::string_view();
  event.kind = event.is_impression ? std::string_view() : values_[fields_.kind];
  event.value = *number;
  return true;
}

}  // namespace antiphon
