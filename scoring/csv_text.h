// How fields are written as CSV: comma, quoted where RFC 4180 wants it. Pure functions.
#pragma once

#include <string>
#include <string_view>

namespace antiphon {

void AppendCsvField(std::string_view field, std::string& line);
// So that it reads back as the same float.
void AppendCsvNumber(float number, std::string& line);

}  // namespace antiphon
