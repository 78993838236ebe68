// NamedRows: the rows of a text file whose columns have names, with errors that say where.
//
// Owned by one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/file_system.h"
#include "common/base/status.h"
#include "proto/job.pb.h"
#include "stream/csv_columns.h"
#include "stream/record_reader.h"

namespace antiphon {

class NamedRows {
 public:
  // kOfJob: the file looks like the job's samples; kNeeded: it has a header whatever the job says.
  enum class Header { kOfJob, kNeeded };

  // `data` says what separates columns and, for a file without a header, what they are called.
  static StatusOr<NamedRows> Open(FileSystem& fs, const std::string& path, const DataConfig& data,
                                  Header header);

  const std::string& path() const { return reader_->path(); }
  const std::vector<std::string>& columns() const { return columns_; }
  // Its place among the columns; -1 when there is none of this name.
  int FindColumn(std::string_view name) const;

  // Goes to the next row. False at the end.
  StatusOr<bool> Next();
  // By column, of the row that Next went to; valid until it is called again.
  std::span<const std::string_view> values() const { return values_; }

  // "file:line: what" of that row, kDataLoss.
  Status Error(const std::string& what) const;

 private:
  NamedRows(FileSystem& fs, std::unique_ptr<RecordReader> reader, CsvColumns split,
            std::vector<std::string> columns)
      : fs_(fs),
        reader_(std::move(reader)),
        split_(std::move(split)),
        columns_(std::move(columns)),
        values_(columns_.size()) {}

  FileSystem& fs_;
  std::unique_ptr<RecordReader> reader_;
  CsvColumns split_;
  std::vector<std::string> columns_;
  std::vector<std::string_view> values_;
  uint64_t offset_ = 0;  // of the row, or of empty lines before it
};

}  // namespace antiphon
