#include "scoring/csv_text.h"

#include <charconv>

namespace antiphon {

void AppendCsvField(std::string_view field, std::string& line) {
  if (field.find_first_of(",\"\r\n") == std::string_view::npos) {
    line.append(field);
    return;
  }
  line.push_back('"');
  for (const char c : field) {
    line.append(c == '"' ? 2 : 1, c);
  }
  line.push_back('"');
}

void AppendCsvNumber(float number, std::string& line) {
  char digits[32];
  const auto result = std::to_chars(digits, digits + sizeof(digits), number);
  line.append(digits, result.ptr);
}

}  // namespace antiphon
