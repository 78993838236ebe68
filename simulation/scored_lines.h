// ScoredLines: what a model said about the lines of one of our files, a CSV with a header and a
// line for each of them, in their order, as `ps_train --score` writes it.
//
// Views into the text, which has to live as long. Owned by one thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"

namespace antiphon {

class ScoredLines {
 public:
  // `asked`: the file that has the lines, for messages. Fails when a column is missing.
  static StatusOr<ScoredLines> Create(std::string_view csv, std::string asked,
                                      const std::vector<std::string>& columns);

  // The next line's values of those columns. Valid until the next call; fails where no line is left
  // or it does not fit the header.
  StatusOr<const std::vector<std::string_view>*> Next();
  // Fails when there are lines left.
  Status ExpectEnd();

  // What is wrong with the line that Next returned last.
  Status Error(const std::string& what) const;

 private:
  ScoredLines(std::string_view csv, std::string asked);

  std::string asked_;
  std::vector<std::string_view> lines_;
  std::vector<size_t> columns_;  // of the wanted values
  std::vector<std::string_view> values_;
  size_t column_count_ = 0;
  size_t line_ = 0;
};

}  // namespace antiphon
