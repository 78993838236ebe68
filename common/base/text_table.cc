#include "common/base/text_table.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace antiphon {

std::string TextTable::ToString() const {
  std::vector<size_t> widths(rows_.front().size(), 1);
  for (const std::vector<std::string>& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], row[i].size());
    }
  }
  std::string text;
  for (const std::vector<std::string>& row : rows_) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string& cell = row[i].empty() ? "-" : row[i];
      const std::string padding(widths[i] - cell.size(), ' ');
      line += (i == 0 ? "" : "  ") + (i < left_ ? cell + padding : padding + cell);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string FormatFixed(double value, int digits) {
  if (!std::isfinite(value)) {
    return "-";
  }
  char text[64];
  std::snprintf(text, sizeof(text), "%.*f", digits, value);
  return text;
}

}  // namespace antiphon
