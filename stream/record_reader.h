// RecordReader: the records of a text file, one after the other.
//
// A record is a line; a quoted field (RFC 4180) may hold line ends. CRLF and a missing end of the
// last line are fine, an empty line is no record, and neither is a byte order mark. A line over
// 1 MiB and a quote that is not closed within 64 KiB are records too, bad ones: they take their
// position, and reading goes on with the next line. Owned by one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/file_system.h"
#include "common/base/status.h"
#include "common/data/bad_row_reason.h"
#include "stream/byte_source.h"

namespace antiphon {

enum class Header : uint8_t { kAbsent, kPresent };

struct Record {
  std::string_view text;  // of a bad record: the start of its line; valid until the next call
  BadRowReason reason = BadRowReason::kNone;  // kNone, kLineTooLong or kOpenQuote
};

class RecordReader {
 public:
  // Stands before record 0 afterwards. A header is read and is not a record.
  static StatusOr<std::unique_ptr<RecordReader>> Open(FileSystem& fs, const std::string& path,
                                                      const std::string& separator, Header header);

  // False at the end of the file.
  StatusOr<bool> Next(Record& record);

  // Reads past the records before `record`, which is not behind the present one.
  Status SkipTo(uint64_t record);

  // Goes to `record`, which begins at `offset` of a file that can seek.
  Status Seek(uint64_t record, uint64_t offset);

  // The record that Next gives, and where it begins (before any empty lines) once unpacked.
  uint64_t next_record() const { return next_record_; }
  uint64_t next_offset() const { return window_offset_ + begin_; }

  bool can_seek() const { return source_->can_seek(); }
  const std::string& header() const { return header_; }
  const std::string& path() const { return path_; }

 private:
  RecordReader(std::unique_ptr<ByteSource> source, std::string path, std::string separator);

  Status ReadHeader();
  // Reads more behind the window. False, and nothing changes, when the file has no more.
  StatusOr<bool> Extend();
  // Offset of the next line end at or after `from` in the window, read on where needed; the size of
  // the window at the end of the file, and kTooLong past the limit.
  StatusOr<size_t> FindLineEnd(size_t from);
  StatusOr<bool> NextLine(Record& record);
  Status ReadOnInQuotes(size_t first_line_end, Record& record);
  Status SkipLine();
  std::string_view Window() const { return {buffer_.data() + begin_, end_ - begin_}; }
  void Consume(size_t line_end);

  std::unique_ptr<ByteSource> source_;
  std::string path_;
  std::string separator_;
  std::string header_;
  std::vector<char> buffer_;
  size_t begin_ = 0;  // what is read and not yet consumed: [begin_, end_)
  size_t end_ = 0;
  uint64_t window_offset_ = 0;  // of buffer_[0]
  uint64_t next_record_ = 0;
  std::string long_line_start_;
};

}  // namespace antiphon
