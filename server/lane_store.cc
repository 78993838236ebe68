#include "server/lane_store.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "common/cluster/chunk_layout.h"
#include "common/cluster/shard_map.h"
#include "common/optim/schema_growth.h"

namespace antiphon {

namespace {

// A chunk and two states of its size fit in one block of a snapshot file.
constexpr uint32_t kMaxChunkFloats = 1U << 22;

Status CheckView(const ConfigureRequest& config) {
  const ClusterView& view = config.view();
  const auto lane_count = static_cast<uint32_t>(view.lanes_size());
  if (view.shard_count() != config.schema().shard_count() ||
      static_cast<uint32_t>(view.lane_of_shard_size()) != view.shard_count()) {
    return InvalidArgumentError("the cluster view has " + std::to_string(view.shard_count()) +
                                " shards and the lanes of " +
                                std::to_string(view.lane_of_shard_size()) + ", the schema has " +
                                std::to_string(config.schema().shard_count()));
  }
  if (config.lane() >= lane_count) {
    return InvalidArgumentError("this is lane " + std::to_string(config.lane()) +
                                ", but the cluster view has " + std::to_string(lane_count));
  }
  for (const LaneId lane : view.lane_of_shard()) {
    if (lane >= lane_count) {
      return InvalidArgumentError("the cluster view puts a shard on lane " + std::to_string(lane) +
                                  " of " + std::to_string(lane_count));
    }
  }
  if (config.schema().chunk_floats() > kMaxChunkFloats) {
    return InvalidArgumentError("schema.chunk_floats is " +
                                std::to_string(config.schema().chunk_floats()) +
                                ", expected at most " + std::to_string(kMaxChunkFloats));
  }
  return Status();
}

std::vector<LaneId> LanesOfShards(const ClusterView& view) {
  return {view.lane_of_shard().begin(), view.lane_of_shard().end()};
}

}  // namespace

StatusOr<std::unique_ptr<LaneStore>> LaneStore::Create(const ConfigureRequest& config) {
  AP_RETURN_IF_ERROR(CheckSchema(config.schema()));
  AP_RETURN_IF_ERROR(CheckView(config));
  std::unique_ptr<LaneStore> store(new LaneStore(config));
  const std::vector<LaneId> lane_of_shard = LanesOfShards(config.view());
  store->shards_ = ShardsOfLane(lane_of_shard, config.lane());
  const ParameterSchema& schema = store->schema();
  for (int id = 0; id < schema.tables_size(); ++id) {
    AP_ASSIGN_OR_RETURN(std::unique_ptr<RowTable> table,
                        store->MakeTable(schema, static_cast<TableId>(id)));
    store->tables_.push_back(std::move(table));
  }
  AP_ASSIGN_OR_RETURN(store->dense_,
                      DenseStore::Create(schema, LaneChunks(schema, lane_of_shard, config.lane())));
  return store;
}

Status LaneStore::CheckNewer(const ConfigureRequest& config) const {
  const ClusterView& ours = config_.view();
  const ClusterView& theirs = config.view();
  const bool same_job = theirs.cluster_id() == ours.cluster_id() &&
                        config.has_max_staleness() == config_.has_max_staleness() &&
                        config.max_staleness() == config_.max_staleness();
  // A lane without shards has answered nobody yet: views of one epoch are all the same to it.
  const bool is_newer =
      theirs.epoch() > ours.epoch() || (theirs.epoch() == ours.epoch() && shards_.empty());
  if (same_job && is_newer) {
    return Status();
  }
  return FailedPreconditionError(
      "this lane is configured already, as lane " + std::to_string(lane()) + " of cluster " +
      std::to_string(ours.cluster_id()) + " at epoch " + std::to_string(ours.epoch()) +
      (same_job ? "; epoch " + std::to_string(theirs.epoch()) + " is not newer"
                : "; restart its server to make it another one"));
}

StatusOr<std::vector<ShardId>> LaneStore::ShardsIn(const ConfigureRequest& config) {
  AP_RETURN_IF_ERROR(CheckView(config));
  return ShardsOfLane(LanesOfShards(config.view()), config.lane());
}

Status LaneStore::TakeView(const ConfigureRequest& config, DenseStore* adopted) {
  AP_RETURN_IF_ERROR(CheckNewer(config));
  AP_ASSIGN_OR_RETURN(std::vector<ShardId> shards, ShardsIn(config));
  const bool grows = config.schema().SerializeAsString() != schema().SerializeAsString();
  if (grows && shards != shards_) {
    return FailedPreconditionError("the view of epoch " + std::to_string(config.view().epoch()) +
                                   " changes the schema and the shards of lane " +
                                   std::to_string(lane()) + ", expected one of them at a time");
  }
  if (grows) {
    AP_RETURN_IF_ERROR(Grow(config.schema()));
  } else if (shards != shards_) {
    AP_RETURN_IF_ERROR(TakeShards(config, std::move(shards), adopted));
  }
  config_ = config;
  return Status();
}

Status LaneStore::TakeShards(const ConfigureRequest& config, std::vector<ShardId> shards,
                             DenseStore* adopted) {
  AP_ASSIGN_OR_RETURN(
      std::unique_ptr<DenseStore> dense,
      DenseStore::Create(schema(),
                         LaneChunks(schema(), LanesOfShards(config.view()), config.lane())));
  dense->TakeFrom(*dense_);
  if (adopted != nullptr) {
    dense->TakeFrom(*adopted);
  }
  dense_ = std::move(dense);
  for (const std::unique_ptr<RowTable>& table : tables_) {
    table->Serve(shards);
  }
  shards_ = std::move(shards);
  return Status();
}

Status LaneStore::Grow(const ParameterSchema& schema) {
  AP_RETURN_IF_ERROR(CheckSchema(schema));
  AP_RETURN_IF_ERROR(CheckGrows(config_.schema(), schema));
  std::vector<std::unique_ptr<RowTable>> added;
  for (int id = config_.schema().tables_size(); id < schema.tables_size(); ++id) {
    AP_ASSIGN_OR_RETURN(std::unique_ptr<RowTable> table,
                        MakeTable(schema, static_cast<TableId>(id)));
    added.push_back(std::move(table));
  }
  AP_ASSIGN_OR_RETURN(dense_,
                      dense_->Grow(schema, LaneChunks(schema, LanesOfShards(view()), lane())));
  std::ranges::move(added, std::back_inserter(tables_));
  return Status();
}

StatusOr<std::unique_ptr<RowTable>> LaneStore::MakeTable(const ParameterSchema& schema,
                                                         TableId id) const {
  return RowTable::Create({.table = id,
                           .spec = schema.tables(static_cast<int>(id)),
                           .seed = schema.seed(),
                           .shard_count = schema.shard_count(),
                           .owned_shards = shards_});
}

ShardId LaneStore::ShardOf(TableId table, Key key) const {
  return ShardOfKey(table, key, shard_count());
}

Status LaneStore::CheckTable(TableId table) const {
  if (table < tables_.size()) {
    return Status();
  }
  return InvalidArgumentError("there is no table " + std::to_string(table) + ", the schema has " +
                              std::to_string(tables_.size()));
}

Status LaneStore::CheckKey(TableId table, Key key) const {
  const ShardId shard = ShardOf(table, key);
  if (Owns(shard)) {
    return Status();
  }
  return Status(StatusCode::kWrongShard,
                "key " + std::to_string(key) + " of table '" +
                    schema().tables(static_cast<int>(table)).name() + "' is in shard " +
                    std::to_string(shard) + ", which lies on lane " +
                    std::to_string(view().lane_of_shard(static_cast<int>(shard))) +
                    " and not on this lane " + std::to_string(lane()) + " (cluster view of epoch " +
                    std::to_string(view().epoch()) + ")");
}

Status LaneStore::CheckKeys(TableId table, std::span<const Key> keys) const {
  for (const Key key : keys) {
    AP_RETURN_IF_ERROR(CheckKey(table, key));
  }
  return Status();
}

uint64_t LaneStore::used_bytes() const {
  uint64_t bytes = dense_->bytes();
  for (const std::unique_ptr<RowTable>& table : tables_) {
    bytes += table->used_bytes();
  }
  return bytes;
}

uint64_t LaneStore::bytes() const {
  uint64_t bytes = dense_->bytes();
  for (const std::unique_ptr<RowTable>& table : tables_) {
    bytes += table->bytes();
  }
  return bytes;
}

}  // namespace antiphon
