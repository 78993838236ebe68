// CsvColumns: which column of a file is which input field, and how a record falls into them.
//
// Owned by one thread: splitting a record with doubled quotes uses memory that is kept.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "common/data/bad_row_reason.h"
#include "proto/job.pb.h"

namespace antiphon {

class CsvColumns {
 public:
  // Without a header the columns are the input fields in order. With one, a used field that the
  // header lacks or has twice is an error; further columns are skipped. `path` is for errors.
  static StatusOr<CsvColumns> Create(const DataConfig& data, std::span<const uint32_t> used_fields,
                                     const std::string& path, std::string_view header);

  // Sets values[f] for every used field f. The views point into `record`, or into memory that
  // lives until the next call. kColumnCount when the record is shorter or longer than it should.
  BadRowReason Split(std::string_view record, std::span<std::string_view> values);

  size_t column_count() const { return field_of_column_.size(); }

 private:
  static constexpr int32_t kUnused = -1;

  CsvColumns() = default;
  BadRowReason SplitQuoted(std::string_view record, std::span<std::string_view> values);
  // Takes one field off the front of `rest`. False when no separator follows it.
  bool TakeField(std::string_view& rest, std::string_view& field);
  void Store(size_t column, std::string_view field, std::span<std::string_view> values) const {
    if (field_of_column_[column] != kUnused) {
      values[static_cast<size_t>(field_of_column_[column])] = field;
    }
  }

  std::string separator_;
  std::vector<int32_t> field_of_column_;
  std::string unquoted_;  // fields that had doubled quotes, one after the other
};

// The names in a header, without the quotes around them.
std::vector<std::string> SplitHeader(std::string_view header, const std::string& separator);

}  // namespace antiphon
