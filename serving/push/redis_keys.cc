#include "serving/push/redis_keys.h"

#include "common/ckpt/little_endian.h"

namespace antiphon {
namespace {

constexpr size_t kGenerationBytes = 16;

}  // namespace

std::string RedisMetaKey(const std::string& model_id) {
  return "ap:" + model_id;
}

std::string RedisFilesKey(const std::string& model_id) {
  return RedisMetaKey(model_id) + ":files";
}

std::string RedisWriterKey(const std::string& model_id) {
  return RedisMetaKey(model_id) + ":writer";
}

std::string RedisTablePrefix(const std::string& model_id, const std::string& generation,
                             const std::string& table) {
  return RedisMetaKey(model_id) + ":" + generation + ":" + table + ":";
}

std::string RedisRowKey(const std::string& table_prefix, Key key) {
  std::string text = table_prefix;
  text.append(reinterpret_cast<const char*>(&key), sizeof(key));
  return text;
}

std::string RedisRow(uint64_t version, uint32_t sequence, std::span<const std::byte> row) {
  std::string value(kRedisRowPrefix, '\0');
  const std::span<std::byte> prefix = std::as_writable_bytes(std::span(value));
  StoreLittle<uint64_t>(prefix, 0, version);
  StoreLittle<uint32_t>(prefix, sizeof(version), sequence);
  value.append(reinterpret_cast<const char*>(row.data()), row.size());
  return value;
}

std::string_view GenerationOfRedisKey(const std::string& model_id, std::string_view key) {
  const size_t begin = RedisMetaKey(model_id).size() + 1;
  const size_t end = begin + kGenerationBytes;
  return key.size() > end && key[end] == ':' ? key.substr(begin, kGenerationBytes)
                                             : std::string_view();
}

}  // namespace antiphon
