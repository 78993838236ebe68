#include "simulation/scored_lines.h"

#include <algorithm>
#include <utility>

#include "common/base/text.h"

namespace antiphon {

ScoredLines::ScoredLines(std::string_view csv, std::string asked)
    : asked_(std::move(asked)), lines_(Split(csv, "\n")) {}

StatusOr<ScoredLines> ScoredLines::Create(std::string_view csv, std::string asked,
                                          const std::vector<std::string>& columns) {
  ScoredLines lines(csv, std::move(asked));
  const std::vector<std::string_view> header = Split(Trim(lines.lines_.front()), ",");
  for (const std::string& name : columns) {
    const auto found = std::find(header.begin(), header.end(), name);
    if (found == header.end()) {
      return InvalidArgumentError("line 1: no column \"" + name + "\"");
    }
    lines.columns_.push_back(static_cast<size_t>(found - header.begin()));
  }
  lines.values_.resize(columns.size());
  lines.column_count_ = header.size();
  return lines;
}

StatusOr<const std::vector<std::string_view>*> ScoredLines::Next() {
  if (++line_ >= lines_.size() || Trim(lines_[line_]).empty()) {
    return Error("is missing, expected one for each line of " + asked_);
  }
  const std::vector<std::string_view> cells = Split(Trim(lines_[line_]), ",");
  if (cells.size() != column_count_) {
    return Error("has " + std::to_string(cells.size()) + " columns, the header has " +
                 std::to_string(column_count_));
  }
  for (size_t i = 0; i < columns_.size(); ++i) {
    values_[i] = cells[columns_[i]];
  }
  return &values_;
}

Status ScoredLines::ExpectEnd() {
  ++line_;
  return line_ >= lines_.size() || Trim(lines_[line_]).empty()
             ? Status()
             : Error("is one more than " + asked_ + " has");
}

Status ScoredLines::Error(const std::string& what) const {
  return InvalidArgumentError("line " + std::to_string(line_ + 1) + ": " + what);
}

}  // namespace antiphon
