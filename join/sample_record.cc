#include "join/sample_record.h"

#include <array>
#include <charconv>

namespace antiphon {
namespace {

// The shortest text that reads back as the same number.
void AppendNumber(double number, std::string& text) {
  std::array<char, 32> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  text.append(digits.data(), end);
}

}  // namespace

StatusOr<SampleRecord> SampleRecord::Create(const DataConfig& data, const JoinRules& rules) {
  if (data.input_type() != DataConfig::CSVInput) {
    return InvalidArgumentError("input_type: events are joined as CSVInput only, found " +
                                DataConfig::InputType_Name(data.input_type()));
  }
  SampleRecord record;
  record.separator_ = data.separator();
  record.columns_ = rules.columns;
  record.known_until_field_ = data.stream().join().known_until_field();
  record.has_header_ = data.with_header();
  return record;
}

std::string SampleRecord::Of(const JoinedSample& sample) const {
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
