// RecordReader: the records of a file, one after the other.
//
// In text a record is a line; a quoted field (RFC 4180) may hold line ends. CRLF and a missing end
// of the last line are fine, an empty line is no record, and neither is a byte order mark. A line
// over 1 MiB and a quote that is not closed within 64 KiB are records too, bad ones: they take
// their position, and reading goes on with the next line. Binary records carry their length: where
// it is damaged nothing after it can be found, which is kDataLoss; where only the record is, it is
// a bad one. Owned by one thread.
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

// How records lie in a file.
enum class Framing : uint8_t {
  kQuotedLines,
  kLines,      // a quote is a character like others
  kTfRecord,   // length, masked CRC32C of it, record, masked CRC32C of that
  kDelimited,  // length as a varint, record; what protobuf's writeDelimitedTo writes
};

struct RecordFormat {
  Framing framing = Framing::kQuotedLines;
  std::string separator = ",";  // of quoted lines
  Header header = Header::kAbsent;
};

struct Record {
  std::string_view text;  // of a bad record: the start of its line; valid until the next call
  BadRowReason reason = BadRowReason::kNone;  // kNone, kLineTooLong, kOpenQuote or kChecksum
};

class RecordReader {
 public:
  // Stands before record 0 afterwards. A header is read and is not a record.
  static StatusOr<std::unique_ptr<RecordReader>> Open(FileSystem& fs, const std::string& path,
                                                      const RecordFormat& format);

  // False at the end of the file.
  StatusOr<bool> Next(Record& record);

  // Whether the file may still grow at its end. While it may, what follows the last whole record is
  // none yet: Next says false there, and reads on when it is asked again.
  void set_growing(bool growing) { growing_ = growing; }

  // Reads past the records before `record`, which is not behind the present one.
  Status SkipTo(uint64_t record);

  // Goes to `record`, which begins at `offset` of a file that can seek.
  Status Seek(uint64_t record, uint64_t offset);

  // The record that Next gives, and where it begins (before any empty lines) once unpacked.
  uint64_t next_record() const { return next_record_; }
  uint64_t next_offset() const { return window_offset_ + begin_; }

  // Whether all that the file has so far has been handed out. Ends the life of the last record's
  // text unless more of the file is in memory.
  StatusOr<bool> AtEnd();
  bool has_more_in_memory() const { return begin_ < end_; }

  bool can_seek() const { return source_->can_seek(); }
  const std::string& header() const { return header_; }
  const std::string& path() const { return path_; }

 private:
  RecordReader(std::unique_ptr<ByteSource> source, std::string path, RecordFormat format);

  Status ReadHeader();
  // Reads more behind the window. False, and nothing changes, when the file has no more.
  StatusOr<bool> Extend();
  // Offset of the next line end at or after `from` in the window, read on where needed; the size of
  // the window at the end of the file, and kTooLong past the limit.
  StatusOr<size_t> FindLineEnd(size_t from);
  StatusOr<bool> NextFramed(Record& record);
  StatusOr<bool> NextLine(Record& record);
  StatusOr<bool> NextTfRecord(Record& record);
  StatusOr<bool> NextDelimited(Record& record);
  // Reads until the window holds `bytes`. False, and nothing changes, when the file ends before.
  StatusOr<bool> Await(size_t bytes);
  // What it means that a binary record is not all there.
  StatusOr<bool> Unfinished() const;
  // A record of `size` bytes with `trailer` bytes behind it, all in the window or too long for it.
  StatusOr<bool> TakeFrame(size_t begin, uint64_t size, size_t trailer, Record& record);
  Status Damaged(const std::string& what) const;
  // False: the record is not all there yet.
  StatusOr<bool> ReadOnInQuotes(size_t first_line_end, Record& record);
  Status SkipLine();
  std::string_view Window() const { return {buffer_.data() + begin_, end_ - begin_}; }
  void Consume(size_t line_end);

  std::unique_ptr<ByteSource> source_;
  std::string path_;
  RecordFormat format_;
  bool growing_ = false;
  std::string header_;
  std::vector<char> buffer_;
  size_t begin_ = 0;  // what is read and not yet consumed: [begin_, end_)
  size_t end_ = 0;
  uint64_t window_offset_ = 0;  // of buffer_[0]
  uint64_t next_record_ = 0;
  std::string long_line_start_;
};

}  // namespace antiphon
