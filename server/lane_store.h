// LaneStore: the parameters that lie on one lane, and what the lane must know to judge a request
// about them: the schema, the cluster view, its place in it.
//
// Owned by a Lane and used on its thread. A restore builds a second one and swaps.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "common/base/status.h"
#include "common/base/types.h"
#include "proto/cluster.pb.h"
#include "proto/parameters.pb.h"
#include "server/dense_store.h"
#include "server/row_table.h"

namespace antiphon {

class LaneStore {
 public:
  // Empty tables and fresh chunks. kInvalidArgument: schema and view do not go together, or the
  // lane is not in the view.
  static StatusOr<std::unique_ptr<LaneStore>> Create(const ConfigureRequest& config);

  // The shards that the lane has in a view, ascending. Errors as of Create.
  static StatusOr<std::vector<ShardId>> ShardsIn(const ConfigureRequest& config);

  // Goes by a newer view of the same cluster, under another number if the view says so. Either the
  // schema may have grown: rows and chunks stay as they are, new tables are empty and new chunks
  // fresh. Or the lane has other shards: those that are new have been adopted by all tables, and
  // `adopted`, which may be null, has their chunks. kFailedPrecondition, and nothing changes, when
  // the view is not newer, when what the schema had would be others, or when both have changed.
  Status TakeView(const ConfigureRequest& config, DenseStore* adopted);

  // The same lane without what it has learned.
  StatusOr<std::unique_ptr<LaneStore>> CreateEmpty() const { return Create(config_); }

  LaneId lane() const { return config_.lane(); }
  const ClusterView& view() const { return config_.view(); }
  const ParameterSchema& schema() const { return config_.schema(); }
  uint32_t shard_count() const { return config_.schema().shard_count(); }
  const std::vector<ShardId>& shards() const { return shards_; }

  size_t table_count() const { return tables_.size(); }
  RowTable& table(TableId id) { return *tables_[id]; }
  const RowTable& table(TableId id) const { return *tables_[id]; }
  DenseStore& dense() { return *dense_; }
  const DenseStore& dense() const { return *dense_; }

  ShardId ShardOf(TableId table, Key key) const;
  bool Owns(ShardId shard) const {
    return config_.view().lane_of_shard(static_cast<int>(shard)) == lane();
  }

  // kInvalidArgument, with the number of tables, for a table that does not exist.
  Status CheckTable(TableId table) const;
  // kWrongShard for a key of another lane, naming that lane and both epochs.
  Status CheckKey(TableId table, Key key) const;
  // The same for the first of several.
  Status CheckKeys(TableId table, std::span<const Key> keys) const;

  // Of rows, indexes, counters of ids without a row, and chunks: as much as was taken of the
  // machine, and without the places that wait for another row.
  uint64_t bytes() const;
  uint64_t used_bytes() const;

 private:
  explicit LaneStore(const ConfigureRequest& config) : config_(config) {}
  Status CheckNewer(const ConfigureRequest& config) const;

  Status Grow(const ParameterSchema& schema);
  Status TakeShards(const ConfigureRequest& config, std::vector<ShardId> shards,
                    DenseStore* adopted);
  StatusOr<std::unique_ptr<RowTable>> MakeTable(const ParameterSchema& schema, TableId id) const;

  ConfigureRequest config_;
  std::vector<ShardId> shards_;
  std::vector<std::unique_ptr<RowTable>> tables_;
  std::unique_ptr<DenseStore> dense_;
};

}  // namespace antiphon
