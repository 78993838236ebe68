#include "join/sample_record.h"

#include <array>
#include <charconv>
#include <cmath>

#include "proto/sample.pb.h"
#include "proto/tf_example.pb.h"

namespace antiphon {
namespace {

constexpr double kMaxWhole = 9007199254740992;  // 2^53: every whole number up to here is exact

// The shortest text that reads back as the same number.
void AppendNumber(double number, std::string& text) {
  std::array<char, 32> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  text.append(digits.data(), end);
}

}  // namespace

StatusOr<SampleRecord> SampleRecord::Create(const DataConfig& data, const JoinRules& rules) {
  if (data.with_header() && data.input_type() != DataConfig::CSVInput) {
    return InvalidArgumentError("with_header: got true, expected false with input_type " +
                                DataConfig::InputType_Name(data.input_type()));
  }
  SampleRecord record;
  record.type_ = data.input_type();
  record.separator_ = data.separator();
  record.columns_ = rules.columns;
  record.known_until_field_ = data.stream().join().known_until_field();
  record.has_header_ = data.with_header();
  return record;
}

std::string SampleRecord::Of(const JoinedSample& sample) const {
  switch (type_) {
    case DataConfig::CSVInput:
      break;
    case DataConfig::SlotTextInput:
      return SlotTextOf(sample);
    case DataConfig::ProtobufInput:
      return ProtobufOf(sample);
    case DataConfig::TFRecordInput:
      return TfExampleOf(sample);
  }
  return CsvOf(sample);
}

std::string SampleRecord::CsvOf(const JoinedSample& sample) const {
  std::string text = sample.fields;
  for (const std::optional<double>& label : sample.labels) {
    text += separator_;
    if (label.has_value()) {
      AppendNumber(*label, text);
    }
  }
  if (!known_until_field_.empty()) {
    text += separator_ + std::to_string(sample.known_until_ms);
  }
  return text;
}

std::string SampleRecord::SlotTextOf(const JoinedSample& sample) const {
  std::string text;
  for (const std::optional<double>& label : sample.labels) {
    if (label.has_value()) {
      AppendNumber(*label, text);
    } else {
      text += '-';
    }
    text += ' ';
  }
  text += sample.fields;
  if (!known_until_field_.empty()) {
    text += " " + known_until_field_ + ":" + std::to_string(sample.known_until_ms);
  }
  return text;
}

// A serialised message with another behind it is both of them merged: their fields follow one
// another, as they do here.
std::string SampleRecord::ProtobufOf(const JoinedSample& sample) const {
  Sample labels;
  for (size_t i = 0; i < columns_.size(); ++i) {
    if (sample.labels[i].has_value()) {
      SampleField& field = *labels.add_fields();
      field.set_name(columns_[i]);
      field.add_number(*sample.labels[i]);
    }
  }
  if (!known_until_field_.empty()) {
    SampleField& field = *labels.add_fields();
    field.set_name(known_until_field_);
    field.add_whole(sample.known_until_ms);
  }
  return sample.fields + labels.SerializeAsString();
}

std::string SampleRecord::TfExampleOf(const JoinedSample& sample) const {
  TfExample labels;
  TfFeatures& features = *labels.mutable_features();
  for (size_t i = 0; i < columns_.size(); ++i) {
    if (!sample.labels[i].has_value()) {
      continue;
    }
    const double label = *sample.labels[i];
    TfFeatureEntry& entry = *features.add_feature();
    entry.set_key(columns_[i]);
    if (std::trunc(label) == label && std::abs(label) <= kMaxWhole) {
      entry.mutable_value()->mutable_int64_list()->add_value(static_cast<int64_t>(label));
    } else {
      entry.mutable_value()->mutable_float_list()->add_value(static_cast<float>(label));
    }
  }
  if (!known_until_field_.empty()) {
    TfFeatureEntry& entry = *features.add_feature();
    entry.set_key(known_until_field_);
    entry.mutable_value()->mutable_int64_list()->add_value(sample.known_until_ms);
  }
  return sample.fields + labels.SerializeAsString();
}

std::string SampleRecord::Header(std::string_view events) const {
  if (!has_header_) {
    return "";
  }
  std::string header(events);
  for (const std::string& column : columns_) {
    header += separator_ + column;
  }
  if (!known_until_field_.empty()) {
    header += separator_ + known_until_field_;
  }
  return header + "\n";
}

}  // namespace antiphon
