#include "scoring/named_rows.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "stream/byte_source.h"

namespace antiphon {
namespace {

// The number of the first line that is not empty at or after `offset` of the plain bytes.
StatusOr<uint64_t> LineAt(FileSystem& fs, const std::string& path, uint64_t offset) {
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<ByteSource> source, OpenByteSource(fs, path));
  std::array<std::byte, 65536> buffer;
  uint64_t line = 1;
  uint64_t at = 0;
  while (true) {
    AP_ASSIGN_OR_RETURN(const size_t size, source->Read(buffer));
    for (size_t i = 0; i < size; ++i, ++at) {
      const auto c = static_cast<char>(buffer[i]);
      if (at >= offset && c != '\n' && c != '\r') {
        return line;
      }
      line += c == '\n' ? 1 : 0;
    }
    if (size == 0) {
      return line;
    }
  }
}

}  // namespace

StatusOr<NamedRows> NamedRows::Open(FileSystem& fs, const std::string& path, const DataConfig& data,
                                    Header header) {
  const bool has_header = header == Header::kNeeded || data.with_header();
  AP_ASSIGN_OR_RETURN(std::unique_ptr<RecordReader> reader,
                      RecordReader::Open(fs, path,
                                         {.separator = data.separator(),
                                          .header = has_header ? antiphon::Header::kPresent
                                                               : antiphon::Header::kAbsent}));
  // Every column is an input field of this file.
  DataConfig own;
  own.set_separator(data.separator());
  own.set_with_header(has_header);
  if (has_header) {
    for (const std::string& name : SplitHeader(reader->header(), data.separator())) {
      own.add_input_fields()->set_input_name(name);
    }
  } else {
    *own.mutable_input_fields() = data.input_fields();
  }
  std::vector<std::string> columns;
  for (const InputField& field : own.input_fields()) {
    columns.push_back(field.input_name());
  }
  std::vector<uint32_t> all(columns.size());
  std::iota(all.begin(), all.end(), 0U);
  AP_ASSIGN_OR_RETURN(CsvColumns split, CsvColumns::Create(own, all, path, reader->header()));
  return NamedRows(fs, std::move(reader), std::move(split), std::move(columns));
}

int NamedRows::FindColumn(std::string_view name) const {
  const auto found = std::find(columns_.begin(), columns_.end(), name);
  return found == columns_.end() ? -1 : static_cast<int>(found - columns_.begin());
}

StatusOr<bool> NamedRows::Next() {
  offset_ = reader_->next_offset();
  Record record;
  AP_ASSIGN_OR_RETURN(const bool is_there, reader_->Next(record));
  if (!is_there) {
    return false;
  }
  BadRowReason reason = record.reason;
  if (reason == BadRowReason::kNone) {
    reason = split_.Split(record.text, values_);
  }
  if (reason == BadRowReason::kColumnCount) {
    return Error("wrong number of columns, expected " + std::to_string(columns_.size()));
  }
  if (reason != BadRowReason::kNone) {
    return Error(std::string(BadRowReasonText(reason)));
  }
  return true;
}

Status NamedRows::Error(const std::string& what) const {
  const StatusOr<uint64_t> line = LineAt(fs_, path(), offset_);
  return DataLossError(path() + ":" + (line.ok() ? std::to_string(*line) : "?") + ": " + what);
}

}  // namespace antiphon
