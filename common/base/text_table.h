// TextTable: rows of words in aligned columns without boxes, for terminals and awk alike. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace antiphon {

class TextTable {
 public:
  // Short upper-case headers. The first `left` columns hold names and stand left, the others hold
  // numbers and stand right.
  TextTable(std::vector<std::string> headers, size_t left)
      : rows_{std::move(headers)}, left_(left) {}

  // As many cells as there are headers; an empty one is shown as "-".
  void AddRow(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }

  bool empty() const { return rows_.size() == 1; }
  // Headers and rows, a line each; no blanks at the end of a line.
  std::string ToString() const;

 private:
  std::vector<std::vector<std::string>> rows_;
  size_t left_;
};

// `value` with so many digits after the point; "-" when it is not a finite number.
std::string FormatFixed(double value, int digits);

}  // namespace antiphon
