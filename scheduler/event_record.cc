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

}  // namespace antiphon
