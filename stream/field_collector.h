// FieldCollector: gathers the values of one record by field, for formats that name their fields and
// may give several values, in any order.
//
// Numbers become text only where something reads them as text (ids are hashed as they are written,
// so that 17 in a tf.Example and "17" in a CSV file are one row). Owned by one decoder; a steady
// stream of records allocates nothing.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <span>
#include <string_view>
#include <vector>

#include "common/data/bad_row_reason.h"
#include "common/data/vocabulary.h"
#include "proto/job.pb.h"
#include "stream/record_decoder.h"

namespace antiphon {

class FieldCollector {
 public:
  static constexpr int kUnused = -1;

  FieldCollector(const DataConfig& data, std::span<const FieldUse> uses);

  // Begins a record: every field is empty.
  void Start();

  // The used field with this name, or kUnused.
  int Find(std::string_view name) const {
    const uint32_t number = names_.Find(name);
    return number == Vocabulary::kNotFound ? kUnused : static_cast<int>(field_of_name_[number]);
  }

  // One more value of a used field. Texts must outlive the row.
  void AddText(int field, std::string_view text);
  void AddWhole(int field, int64_t whole);
  void AddFloat(int field, float number);
  void AddNumber(int field, double number);

  // Fills the row. kValueCount: a field that has one value came with several. kBadNumber: a
  // numeric feature came as a text that is no number.
  BadRowReason Finish(DecodedRow& row) const;

 private:
  using NumberText = std::array<char, 32>;

  struct Field {
    FieldUse use;
    std::vector<std::string_view> texts;
    std::vector<double> numbers;
    bool is_touched = false;
    bool is_bad_number = false;
  };

  Field& Touch(int field);
  template <typename Number>
  void AddWritten(Field& field, Number number);

  std::vector<Field> fields_;  // by input field
  std::vector<uint32_t> touched_;
  Vocabulary names_;  // of the used fields
  std::vector<uint32_t> field_of_name_;
  std::deque<NumberText> written_;  // a deque: views into it stay valid
  size_t written_count_ = 0;
};

}  // namespace antiphon
