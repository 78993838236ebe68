#include "stream/record_reader.h"

#include <cstring>
#include <utility>

#include "stream/quote_scanner.h"

namespace antiphon {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr size_t kReadBytes = 512 << 10;
constexpr size_t kMaxLineBytes = 1 << 20;
constexpr size_t kKeptOfLongLine = 4 << 10;
constexpr size_t kMaxQuotedBytes = 64 << 10;
constexpr size_t kTooLong = static_cast<size_t>(-1);

std::string_view WithoutCarriageReturn(std::string_view line) {
  return line.ends_with('\r') ? line.substr(0, line.size() - 1) : line;
}

}  // namespace

RecordReader::RecordReader(std::unique_ptr<ByteSource> source, std::string path,
                           RecordFormat format)
    : source_(std::move(source)),
      path_(std::move(path)),
      format_(std::move(format)),
      buffer_(kReadBytes + kMaxLineBytes) {}

StatusOr<std::unique_ptr<RecordReader>> RecordReader::Open(FileSystem& fs, const std::string& path,
                                                           const RecordFormat& format) {
  AP_ASSIGN_OR_RETURN(std::unique_ptr<ByteSource> source, OpenByteSource(fs, path));
  std::unique_ptr<RecordReader> reader(new RecordReader(std::move(source), path, format));
  const bool is_text = format.framing == Framing::kQuotedLines || format.framing == Framing::kLines;
  while (is_text && reader->Window().size() < kByteOrderMark.size()) {
    AP_ASSIGN_OR_RETURN(const bool has_more, reader->Extend());
    if (!has_more) {
      break;
    }
  }
  if (is_text && reader->Window().starts_with(kByteOrderMark)) {
    reader->begin_ += kByteOrderMark.size();
  }
  if (format.header == Header::kPresent) {
    AP_RETURN_IF_ERROR(reader->ReadHeader());
  }
  return reader;
}

Status RecordReader::ReadHeader() {
  Record record;
  AP_ASSIGN_OR_RETURN(const bool is_there, Next(record));
  if (!is_there) {
    return DataLossError(path_ + ": the file is empty, expected a header");
  }
  if (record.reason != BadRowReason::kNone) {
    return DataLossError(path_ + ": bad header: " + std::string(BadRowReasonText(record.reason)));
  }
  header_ = record.text;
  next_record_ = 0;
  return Status();
}

StatusOr<bool> RecordReader::Extend() {
  if (buffer_.size() - end_ < kReadBytes / 2 && begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    window_offset_ += begin_;
    end_ -= begin_;
    begin_ = 0;
  }
  if (end_ == buffer_.size()) {
    return false;
  }
  AP_ASSIGN_OR_RETURN(const size_t count,
                      source_->Read(std::as_writable_bytes(std::span(buffer_)).subspan(end_)));
  end_ += count;
  return count > 0;
}

StatusOr<size_t> RecordReader::FindLineEnd(size_t from) {
  while (true) {
    const std::string_view window = Window();
    const size_t line_end = window.find('\n', from);
    if (line_end <= kMaxLineBytes) {  // npos is longer than any
      return line_end;
    }
    if (window.size() > kMaxLineBytes) {
      return kTooLong;
    }
    from = window.size();
    AP_ASSIGN_OR_RETURN(const bool has_more, Extend());
    if (!has_more) {
      return window.size();
    }
  }
}

void RecordReader::Consume(size_t line_end) {
  // At the end of the file there may be no line end to step over.
  begin_ += line_end < Window().size() ? line_end + 1 : line_end;
}

StatusOr<bool> RecordReader::Next(Record& record) {
  while (true) {
    AP_ASSIGN_OR_RETURN(const bool is_there, NextFramed(record));
    if (!is_there) {
      return false;
    }
    if (!record.text.empty() || record.reason != BadRowReason::kNone) {
      ++next_record_;
      return true;
    }
  }
}

StatusOr<bool> RecordReader::NextFramed(Record& record) {
  switch (format_.framing) {
    case Framing::kQuotedLines:
    case Framing::kLines:
      return NextLine(record);
    case Framing::kTfRecord:
      return NextTfRecord(record);
    case Framing::kDelimited:
      return NextDelimited(record);
  }
  return false;
}

// One line, or several that a quoted field joins.
StatusOr<bool> RecordReader::NextLine(Record& record) {
  record.reason = BadRowReason::kNone;
  AP_ASSIGN_OR_RETURN(const size_t line_end, FindLineEnd(0));
  if (line_end == kTooLong) {
    record.reason = BadRowReason::kLineTooLong;
    long_line_start_ = Window().substr(0, kKeptOfLongLine);
    record.text = long_line_start_;
    AP_RETURN_IF_ERROR(SkipLine());
    return true;
  }
  const bool is_open = line_end == Window().size();
  if (Window().empty() || (is_open && growing_)) {
    return false;
  }
  record.text = WithoutCarriageReturn(Window().substr(0, line_end));
  if (format_.framing == Framing::kLines || record.text.find('"') == std::string_view::npos) {
    Consume(line_end);
    return true;
  }
  return ReadOnInQuotes(line_end, record);
}

StatusOr<bool> RecordReader::ReadOnInQuotes(size_t first_line_end, Record& record) {
  QuoteScanner scanner(format_.separator);
  size_t line_end = first_line_end;
  while (scanner.EndsInside(Window().substr(0, line_end))) {
    const bool is_last = line_end >= Window().size();
    if (!is_last) {
      AP_ASSIGN_OR_RETURN(line_end, FindLineEnd(line_end + 1));
    }
    if (growing_ && line_end == Window().size() && line_end <= kMaxQuotedBytes) {
      return false;
    }
    if (is_last || line_end == kTooLong || line_end > kMaxQuotedBytes) {
      // The quote is a mistake of this line: only this line is bad.
      record.reason = BadRowReason::kOpenQuote;
      line_end = first_line_end;
      break;
    }
  }
  record.text = WithoutCarriageReturn(Window().substr(0, line_end));
  Consume(line_end);
  return true;
}

Status RecordReader::SkipLine() {
  while (true) {
    const size_t line_end = Window().find('\n');
    if (line_end != std::string_view::npos) {
      Consume(line_end);
      return Status();
    }
    begin_ = end_;
    AP_ASSIGN_OR_RETURN(const bool has_more, Extend());
    if (!has_more) {
      return Status();
    }
  }
}

StatusOr<bool> RecordReader::AtEnd() {
  if (!Window().empty()) {
    return false;
  }
  AP_ASSIGN_OR_RETURN(const bool has_more, Extend());
  return !has_more;
}

Status RecordReader::SkipTo(uint64_t record) {
  CHECK_GE(record, next_record_);
  Record skipped;
  while (next_record_ < record) {
    AP_ASSIGN_OR_RETURN(const bool is_there, Next(skipped));
    if (!is_there) {
      return DataLossError(path_ + ": ends after " + std::to_string(next_record_) +
                           " records, expected at least " + std::to_string(record) +
                           ": the file has changed since the job was planned");
    }
  }
  return Status();
}

Status RecordReader::Seek(uint64_t record, uint64_t offset) {
  AP_RETURN_IF_ERROR(source_->Seek(offset));
  window_offset_ = offset;
  begin_ = 0;
  end_ = 0;
  next_record_ = record;
  return Status();
}

}  // namespace antiphon
