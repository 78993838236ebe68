#include "join/join_store.h"

namespace antiphon {
namespace {

constexpr size_t kNumberBytes = 8;

void AppendBigEndian(uint64_t number, std::string& key) {
  for (int shift = 56; shift >= 0; shift -= 8) {
    key.push_back(static_cast<char>((number >> shift) & 0xff));
  }
}

uint64_t ReadBigEndian(std::string_view bytes) {
  uint64_t number = 0;
  for (size_t i = 0; i < kNumberBytes; ++i) {
    number = number << 8 | static_cast<uint8_t>(bytes[i]);
  }
  return number;
}

// Flips the sign bit, so that times before 1970 sort before those after.
uint64_t Sortable(int64_t time_ms) {
  return static_cast<uint64_t>(time_ms) ^ (uint64_t{1} << 63);
}

}  // namespace

std::string ProgressKey() {
  return "p";
}

std::string ImpressionKey(std::string_view request) {
  std::string key("i");
  key += request;
  return key;
}

std::string DueKey(int64_t due_ms, std::string_view request) {
  std::string key(kDuePrefix);
  AppendBigEndian(Sortable(due_ms), key);
  key += request;
  return key;
}

std::string OutboxKey() {
  return "o";
}

std::string KeptSamplesKey() {
  return "k";
}

std::string SampleKey(uint64_t number) {
  std::string key(kSamplePrefix);
  AppendBigEndian(number, key);
  return key;
}

StatusOr<DueRequest> ParseDueKey(std::string_view key) {
  if (!key.starts_with(kDuePrefix) || key.size() < kDuePrefix.size() + kNumberBytes) {
    return DataLossError("the joiner's state has a key that is no due time");
  }
  key.remove_prefix(kDuePrefix.size());
  const uint64_t sortable = ReadBigEndian(key);
  return DueRequest{.due_ms = static_cast<int64_t>(sortable ^ (uint64_t{1} << 63)),
                    .request = std::string(key.substr(kNumberBytes))};
}

}  // namespace antiphon
