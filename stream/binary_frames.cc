// The binary framings of RecordReader: records that say how long they are.
#include <bit>
#include <cstring>

#include "common/base/crc32c.h"
#include "stream/record_reader.h"

namespace antiphon {
namespace {

constexpr size_t kMaxRecordBytes = 1 << 20;
constexpr size_t kKeptOfLongRecord = 4 << 10;
constexpr size_t kMaxVarintBytes = 10;
constexpr size_t kTfHeaderBytes = 12;
constexpr size_t kTfTrailerBytes = 4;

static_assert(std::endian::native == std::endian::little);

template <typename Number>
Number ReadLittleEndian(std::string_view bytes) {
  Number number = 0;
  std::memcpy(&number, bytes.data(), sizeof number);
  return number;
}

// TensorFlow stores checksums rotated and shifted, so that one of a checksum is not itself.
bool HasMaskedCrc(std::string_view bytes, uint32_t masked) {
  const uint32_t crc = Crc32c(std::as_bytes(std::span(bytes)));
  return std::rotr(crc, 15) + 0xa282ead8U == masked;
}

}  // namespace

Status RecordReader::Damaged(const std::string& what) const {
  return DataLossError(path_ + ": record " + std::to_string(next_record_ + 1) + " at byte " +
                       std::to_string(next_offset()) + ": " + what);
}

StatusOr<bool> RecordReader::Await(size_t bytes) {
  while (Window().size() < bytes) {
    AP_ASSIGN_OR_RETURN(const bool has_more, Extend());
    if (!has_more) {
      return false;
    }
  }
  return true;
}

StatusOr<bool> RecordReader::Unfinished() const {
  if (growing_ || Window().empty()) {
    return false;
  }
  return Damaged("the file ends inside the record; it was cut off while it was written or copied");
}

StatusOr<bool> RecordReader::TakeFrame(size_t begin, uint64_t size, size_t trailer,
                                       Record& record) {
  const bool is_too_long = size > kMaxRecordBytes;
  AP_ASSIGN_OR_RETURN(const bool is_there,
                      Await(begin + (is_too_long ? kKeptOfLongRecord : size + trailer)));
  if (!is_there) {
    return Unfinished();
  }
  if (!is_too_long) {
    record.reason = BadRowReason::kNone;
    record.text = Window().substr(begin, size);
    begin_ += begin + size + trailer;
    return true;
  }
  record.reason = BadRowReason::kLineTooLong;
  long_line_start_ = Window().substr(begin, kKeptOfLongRecord);
  record.text = long_line_start_;
  uint64_t left = begin + size + trailer;
  while (left > Window().size()) {
    left -= Window().size();
    begin_ = end_;
    AP_ASSIGN_OR_RETURN(const bool has_more, Extend());
    if (!has_more) {
      return Damaged("the file ends inside a record of " + std::to_string(size) + " bytes");
    }
  }
  begin_ += left;
  return true;
}

StatusOr<bool> RecordReader::NextTfRecord(Record& record) {
  AP_ASSIGN_OR_RETURN(const bool has_header, Await(kTfHeaderBytes));
  if (!has_header) {
    return Unfinished();
  }
  const auto size = ReadLittleEndian<uint64_t>(Window());
  if (!HasMaskedCrc(Window().substr(0, 8), ReadLittleEndian<uint32_t>(Window().substr(8)))) {
    return Damaged("the checksum of its length does not match: not a TFRecord file, or damaged");
  }
  AP_ASSIGN_OR_RETURN(const bool is_there,
                      TakeFrame(kTfHeaderBytes, size, kTfTrailerBytes, record));
  if (!is_there || record.reason != BadRowReason::kNone) {
    return is_there;
  }
  const std::string_view trailer(record.text.data() + record.text.size(), kTfTrailerBytes);
  if (!HasMaskedCrc(record.text, ReadLittleEndian<uint32_t>(trailer))) {
    record.reason = BadRowReason::kChecksum;
  }
  return true;
}

StatusOr<bool> RecordReader::NextDelimited(Record& record) {
  uint64_t size = 0;
  size_t at = 0;
  while (true) {
    AP_ASSIGN_OR_RETURN(const bool is_there, Await(at + 1));
    if (!is_there) {
      return Unfinished();
    }
    const auto byte = static_cast<uint8_t>(Window()[at]);
    size |= uint64_t{byte & 0x7fU} << (7 * at);
    ++at;
    if (byte < 0x80) {
      break;
    }
    if (at == kMaxVarintBytes) {
      return Damaged("its length has no end: not a file of length-delimited samples, or damaged");
    }
  }
  if (size > kMaxRecordBytes) {  // without a checksum nothing says that the length is right
    return Damaged("its length is " + std::to_string(size) + ", expected at most " +
                   std::to_string(kMaxRecordBytes) +
                   ": not a file of length-delimited samples, or damaged");
  }
  return TakeFrame(at, size, 0, record);
}

}  // namespace antiphon
