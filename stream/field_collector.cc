#include "stream/field_collector.h"

#include <charconv>

#include "common/data/number_text.h"

namespace antiphon {

FieldCollector::FieldCollector(const DataConfig& data, std::span<const FieldUse> uses)
    : fields_(uses.size()) {
  for (size_t field = 0; field < uses.size(); ++field) {
    fields_[field].use = uses[field];
    if (uses[field].any()) {
      names_.Add(data.input_fields(static_cast<int>(field)).input_name());
      field_of_name_.push_back(static_cast<uint32_t>(field));
    }
  }
}

void FieldCollector::Start() {
  for (const uint32_t field : touched_) {
    fields_[field].texts.clear();
    fields_[field].numbers.clear();
    fields_[field].is_touched = false;
    fields_[field].is_bad_number = false;
  }
  touched_.clear();
  written_count_ = 0;
}

FieldCollector::Field& FieldCollector::Touch(int field) {
  Field& touched = fields_[static_cast<size_t>(field)];
  if (!touched.is_touched) {
    touched.is_touched = true;
    touched_.push_back(static_cast<uint32_t>(field));
  }
  return touched;
}

void FieldCollector::AddText(int field, std::string_view text) {
  Field& touched = Touch(field);
  touched.texts.push_back(text);
  if (touched.use.as_numbers && !text.empty()) {
    double number = 0;
    touched.is_bad_number |= ReadNumber(text, number) != BadRowReason::kNone;
    touched.numbers.push_back(number);
  }
}

template <typename Number>
void FieldCollector::AddWritten(Field& field, Number number) {
  if (field.use.as_numbers) {
    field.numbers.push_back(static_cast<double>(number));
  }
  if (!field.use.as_text && !field.use.as_texts) {
    return;
  }
  if (written_count_ == written_.size()) {
    written_.emplace_back();
  }
  NumberText& text = written_[written_count_++];
  const std::to_chars_result end = std::to_chars(text.data(), text.data() + text.size(), number);
  field.texts.emplace_back(text.data(), static_cast<size_t>(end.ptr - text.data()));
}

void FieldCollector::AddWhole(int field, int64_t whole) {
  AddWritten(Touch(field), whole);
}

void FieldCollector::AddFloat(int field, float number) {
  AddWritten(Touch(field), number);
}

void FieldCollector::AddNumber(int field, double number) {
  AddWritten(Touch(field), number);
}

BadRowReason FieldCollector::Finish(DecodedRow& row) const {
  for (size_t i = 0; i < fields_.size(); ++i) {
    row.values[i] = {};
    row.lists[i] = {};
  }
  for (const uint32_t i : touched_) {
    const Field& field = fields_[i];
    if (field.is_bad_number) {
      return BadRowReason::kBadNumber;
    }
    if (field.use.as_text && field.texts.size() > 1) {
      return BadRowReason::kValueCount;
    }
    if (field.texts.size() == 1) {
      row.values[i] = field.texts.front();
    }
    row.lists[i] = {.texts = field.texts, .numbers = field.numbers};
  }
  return BadRowReason::kNone;
}

}  // namespace antiphon
