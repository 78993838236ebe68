#include "scheduler/event_record.h"

#include <cstddef>
#include <span>

#include "common/base/crc32c.h"

namespace antiphon {
namespace {

std::string LittleEndian(uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) {
    text.push_back(static_cast<char>((value >> (8 * i)) & 0xff));
  }
  return text;
}

uint64_t NumberAt(std::string_view text, size_t at, int bytes) {
  uint64_t value = 0;
  for (int i = 0; i < bytes; ++i) {
    value |= uint64_t{static_cast<uint8_t>(text[at + static_cast<size_t>(i)])} << (8 * i);
  }
  return value;
}

uint32_t CrcOf(std::string_view bytes) {
  return Crc32c(std::as_bytes(std::span(bytes.data(), bytes.size())));
}

}  // namespace

std::string EventRecord(std::string_view bytes) {
  std::string record = LittleEndian(bytes.size(), 8);
  record += LittleEndian(MaskedCrc(CrcOf(record)), 4);
  record += bytes;
  record += LittleEndian(MaskedCrc(CrcOf(bytes)), 4);
  return record;
}

StatusOr<std::string_view> ReadEventRecord(std::string_view framed) {
  constexpr size_t kHeadBytes = 12;
  const Status cut = OutOfRangeError("the record is cut short");
  if (framed.size() < kHeadBytes) {
    return cut;
  }
  if (NumberAt(framed, 8, 4) != MaskedCrc(CrcOf(framed.substr(0, 8)))) {
    return DataLossError("the checksum of a record's length is wrong");
  }
  const uint64_t bytes = NumberAt(framed, 0, 8);
  if (framed.size() < EventRecordBytes(0) || bytes > framed.size() - EventRecordBytes(0)) {
    return cut;
  }
  const std::string_view payload = framed.substr(kHeadBytes, bytes);
  if (NumberAt(framed, kHeadBytes + bytes, 4) != MaskedCrc(CrcOf(payload))) {
    return DataLossError("the checksum of a record is wrong");
  }
  return payload;
}

}  // namespace antiphon
