// RedisTarget: versions in Redis, row by row, for servers that keep no files.
//
// Rows come in batches, and the hash that says which version is served changes last, together with
// the small files. Steps change the rows that are served, each row at once; a version with all rows
// is put beside them, and what was served before goes once the hash has moved. Every batch
// is a transaction that fails when somebody else has begun to push, so an exporter that was taken
// for dead does no harm. Rows say which version brought them, and doing a version again is the same
// as doing it once.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "serving/emb_table.h"
#include "serving/push/push_target.h"
#include "serving/push/sink_address.h"
#include "stream/redis_client.h"

namespace antiphon {

struct RedisTargetOptions {
  RedisAddress address;
  // Who pushes, for people: host, process, time. Different for every process.
  std::string writer;
};

class RedisTarget final : public PushTarget {
 public:
  // kInvalidArgument: as RedisClient::Create.
  static StatusOr<std::unique_ptr<RedisTarget>> Create(const RedisTargetOptions& options);

  const std::string& name() const override { return name_; }
  StatusOr<std::optional<VersionPosition>> Position(const std::string& model_id) override;
  // kFailedPrecondition also when an exporter that was started later pushes the model.
  Status Push(const VersionLink& link) override;

 private:
  // What the model's hash says.
  struct Served {
    VersionPosition position;
    std::string generation;
    bool has_leftovers = false;  // rows of other generations may be there
  };

  RedisTarget(const RedisTargetOptions& options, std::unique_ptr<RedisClient> client);

  StatusOr<std::optional<Served>> ReadServed(const std::string& model_id);
  // Makes this process the one that pushes, unless one that came later does.
  Status Claim(const std::string& model_id);
  // All of the changes or none, and none when another process pushes.
  Status Change(const std::string& model_id, std::vector<RedisClient::Command> changes);
  Status CheckWriter(const std::string& model_id, const RedisReply& holder);

  std::string NewGeneration(const VersionLink& link);
  Status PushTable(const VersionLink& link, const ServedTable& table,
                   const std::string& generation);
  Status PushRows(const VersionLink& link, const EmbTable& rows, const std::string& prefix);
  Status PushTombstones(const VersionLink& link, const EmbTable& rows, const std::string& prefix);
  Status PushMeta(const VersionLink& link, const std::string& generation, bool has_leftovers);
  // Removes rows of other generations than the one that is served, some at a time.
  Status Sweep(const std::string& model_id, const std::string& generation);

  const RedisTargetOptions options_;
  const std::string name_;
  const std::unique_ptr<RedisClient> client_;
  uint64_t generations_ = 0;  // that this process has begun
  std::string claim_;         // what the writer's key says while we push; empty: not claimed yet
};

}  // namespace antiphon
