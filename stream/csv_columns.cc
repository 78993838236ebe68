#include "stream/csv_columns.h"

#include <algorithm>
#include <cstring>

#include "common/base/text.h"

namespace antiphon {
namespace {

// Where `separator` stands next in [begin, end); null when it does not.
const char* FindSeparator(const char* begin, const char* end, std::string_view separator) {
  const size_t size = separator.size();
  while (end - begin >= static_cast<ptrdiff_t>(size)) {
    const auto* at = static_cast<const char*>(
        std::memchr(begin, separator[0], static_cast<size_t>(end - begin) - size + 1));
    if (at == nullptr || size == 1 || std::memcmp(at, separator.data(), size) == 0) {
      return at;
    }
    begin = at + 1;
  }
  return nullptr;
}

Status MissingColumn(const std::string& path, const std::string& name,
                     const std::vector<std::string>& columns) {
  const std::string nearest = NearestName(name, columns);
  return InvalidArgumentError(path + ": the header has no column \"" + name +
                              "\", expected one for the input field" +
                              (nearest.empty() ? "; it has " + Join(columns, ", ")
                                               : "; did you mean \"" + nearest + "\"?"));
}

}  // namespace

StatusOr<CsvColumns> CsvColumns::Create(const DataConfig& data,
                                        std::span<const uint32_t> used_fields,
                                        const std::string& path, std::string_view header) {
  CsvColumns columns;
  columns.separator_ = data.separator();
  if (!data.with_header()) {
    columns.field_of_column_.assign(static_cast<size_t>(data.input_fields_size()), kUnused);
    for (const uint32_t field : used_fields) {
      columns.field_of_column_[field] = static_cast<int32_t>(field);
    }
    return columns;
  }
  const std::vector<std::string> names = SplitHeader(header, data.separator());
  columns.field_of_column_.assign(names.size(), kUnused);
  for (const uint32_t field : used_fields) {
    const std::string& name = data.input_fields(static_cast<int>(field)).input_name();
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) {
      return MissingColumn(path, name, names);
    }
    if (std::find(found + 1, names.end(), name) != names.end()) {
      return InvalidArgumentError(path + ": the header has column \"" + name +
                                  "\" twice, expected once");
    }
    columns.field_of_column_[static_cast<size_t>(found - names.begin())] =
        static_cast<int32_t>(field);
  }
  return columns;
}

BadRowReason CsvColumns::Split(std::string_view record, std::span<std::string_view> values) {
  if (record.find('"') != std::string_view::npos) {
    return SplitQuoted(record, values);
  }
  const char* at = record.data();
  const char* const end = at + record.size();
  const size_t last = field_of_column_.size() - 1;
  for (size_t column = 0; column < last; ++column) {
    const char* next = FindSeparator(at, end, separator_);
    if (next == nullptr) {
      return BadRowReason::kColumnCount;
    }
    Store(column, {at, static_cast<size_t>(next - at)}, values);
    at = next + separator_.size();
  }
  if (FindSeparator(at, end, separator_) != nullptr) {
    return BadRowReason::kColumnCount;
  }
  Store(last, {at, static_cast<size_t>(end - at)}, values);
  return BadRowReason::kNone;
}

BadRowReason CsvColumns::SplitQuoted(std::string_view record, std::span<std::string_view> values) {
  unquoted_.clear();
  unquoted_.reserve(record.size());  // so that views into it stay valid
  size_t column = 0;
  bool has_more = true;
  while (has_more) {
    std::string_view field;
    has_more = TakeField(record, field);
    if (column == field_of_column_.size()) {
      return BadRowReason::kColumnCount;
    }
    Store(column, field, values);
    ++column;
  }
  return column == field_of_column_.size() ? BadRowReason::kNone : BadRowReason::kColumnCount;
}

// A field that begins with a quote ends at the separator after the closing one; doubled quotes
// inside stand for one. What follows the closing quote belongs to the field as it stands.
bool CsvColumns::TakeField(std::string_view& rest, std::string_view& field) {
  size_t at = 0;
  if (rest.starts_with('"')) {
    const size_t begin = unquoted_.size();
    for (at = 1; at < rest.size(); ++at) {
      if (rest[at] == '"') {
        if (at + 1 == rest.size() || rest[at + 1] != '"') {
          ++at;
          break;
        }
        ++at;
      }
      unquoted_ += rest[at];
    }
    const size_t next = std::min(rest.find(separator_, at), rest.size());
    unquoted_.append(rest.substr(at, next - at));
    field = std::string_view(unquoted_).substr(begin);
    at = next;
  } else {
    at = std::min(rest.find(separator_), rest.size());
    field = rest.substr(0, at);
  }
  const bool has_more = at < rest.size();
  rest.remove_prefix(has_more ? at + separator_.size() : rest.size());
  return has_more;
}

std::vector<std::string> SplitHeader(std::string_view header, const std::string& separator) {
  std::vector<std::string> names;
  for (const std::string_view piece : Split(header, separator)) {
    std::string_view name = Trim(piece);
    if (name.size() >= 2 && name.front() == '"' && name.back() == '"') {
      name = name.substr(1, name.size() - 2);
    }
    names.emplace_back(name);
  }
  return names;
}

}  // namespace antiphon
