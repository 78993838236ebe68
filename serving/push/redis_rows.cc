#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/text.h"
#include "serving/push/redis_keys.h"
#include "serving/push/served_rows.h"
#include "serving/signature.h"
#include "serving/version_chain.h"
#include "stream/redis_client.h"

namespace antiphon {
namespace {

constexpr char kKeysABatch[] = "1000";

// Reads what RedisTarget writes.
class RedisReader {
 public:
  RedisReader(const std::string& model_id, ServedRows& rows, RedisClient& client)
      : model_id_(model_id), rows_(rows), client_(client) {}

  Status Read() {
    AP_ASSIGN_OR_RETURN(const RedisReply meta, client_.Call({"HGETALL", RedisMetaKey(model_id_)}));
    if (meta.value().size() == 0) {
      return NotFoundError(rows_.where + " has no key " + RedisMetaKey(model_id_) +
                           ": nothing of this model was pushed there");
    }
    generation_ = meta.value().Find("generation").text();
    AP_ASSIGN_OR_RETURN(const RedisReply files,
                        client_.Call({"HGETALL", RedisFilesKey(model_id_)}));
    const std::string_view json = files.value().Find(kSignatureFile).text();
    if (VersionDigest(json) != meta.value().Find("digest").text()) {
      return DataLossError("the signature.json in " + RedisFilesKey(model_id_) + " of " +
                           rows_.where + " is not the one that " + RedisMetaKey(model_id_) +
                           " names");
    }
    AP_ASSIGN_OR_RETURN(rows_.signature, ParseSignature(json));
    rows_.state = files.value().Find(kStateFile).text();
    for (const ServedTable& table : rows_.signature.tables()) {
      AP_RETURN_IF_ERROR(ReadTable(table));
    }
    return Status();
  }

 private:
  // The digits of a generation and a table's name may stand in a pattern as they are, but for the
  // few characters that mean something there.
  static std::string Escaped(const std::string& prefix) {
    std::string pattern;
    for (const char c : prefix) {
      if (std::string_view("*?[]\\").find(c) != std::string_view::npos) {
        pattern += '\\';
      }
      pattern += c;
    }
    return pattern + "*";
  }

  Status ReadTable(const ServedTable& table) {
    const std::string prefix = RedisTablePrefix(model_id_, generation_, table.name());
    const std::string pattern = Escaped(prefix);
    ServedRows::Table& rows = rows_.tables[table.name()];
    std::string cursor = "0";
    do {
      AP_ASSIGN_OR_RETURN(const RedisReply scanned,
                          client_.Call({"SCAN", cursor, "MATCH", pattern, "COUNT", kKeysABatch}));
      cursor = scanned.value()[0].text();
      AP_RETURN_IF_ERROR(ReadRows(scanned.value()[1], prefix, rows));
    } while (cursor != "0");
    return Status();
  }

  Status ReadRows(const RedisValue& keys, const std::string& prefix, ServedRows::Table& rows) {
    RedisClient::Command get = {"MGET"};
    for (size_t i = 0; i < keys.size(); ++i) {
      // Keys of a table whose name goes on where this one's ends are longer.
      if (keys[i].text().size() == prefix.size() + sizeof(Key)) {
        get.emplace_back(keys[i].text());
      }
    }
    if (get.size() == 1) {
      return Status();
    }
    AP_ASSIGN_OR_RETURN(const RedisReply values, client_.Call(get));
    for (size_t i = 0; i + 1 < get.size(); ++i) {
      const std::string_view value = values.value()[i].text();
      if (value.size() < kRedisRowPrefix) {
        return DataLossError("a row of " + rows_.where + " below " + prefix + " has " +
                             std::to_string(value.size()) + " bytes");
      }
      Key key = 0;
      get[i + 1].copy(reinterpret_cast<char*>(&key), sizeof(key), prefix.size());
      rows[key] = value.substr(kRedisRowPrefix);
    }
    return Status();
  }

  const std::string& model_id_;
  ServedRows& rows_;
  RedisClient& client_;
  std::string generation_;
};

}  // namespace

StatusOr<ServedRows> ReadRedisRows(const RedisAddress& address, const std::string& model_id) {
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<RedisClient> client,
                      RedisClient::Create(address.server, address.database));
  ServedRows rows;
  rows.where = RedisName(address);
  AP_RETURN_IF_ERROR(RedisReader(model_id, rows, *client).Read());
  return rows;
}

}  // namespace antiphon
