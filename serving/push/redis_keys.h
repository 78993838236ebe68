// What the keys and values of a model in Redis look like; docs/formats.md shows them to readers.
// Pure functions.
//
//   ap:<model>                            hash: what is served
//   ap:<model>:files                      hash: signature.json, model.onnx, state.bin
//   ap:<model>:writer                     who pushes
//   ap:<model>:<generation>:<table>:<key> a row
//
// A generation, 16 hexadecimal digits, is a version with all rows and the steps behind it: the rows
// of the next one are put beside those that are served.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "common/base/types.h"

namespace antiphon {

// In front of the bytes of a row: u64 version, u32 sequence of the step that brought it.
inline constexpr size_t kRedisRowPrefix = 12;

std::string RedisMetaKey(const std::string& model_id);
std::string RedisFilesKey(const std::string& model_id);
std::string RedisWriterKey(const std::string& model_id);
// In front of the 8 bytes of the key, little-endian.
std::string RedisTablePrefix(const std::string& model_id, const std::string& generation,
                             const std::string& table);
std::string RedisRowKey(const std::string& table_prefix, Key key);

std::string RedisRow(uint64_t version, uint32_t sequence, std::span<const std::byte> row);

// The generation of a key of the model's; empty: it belongs to none.
std::string_view GenerationOfRedisKey(const std::string& model_id, std::string_view key);

}  // namespace antiphon
