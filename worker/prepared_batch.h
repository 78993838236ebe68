// PreparedBatch: a batch whose ids have been made distinct and sorted by the lane that owns them.
//
// In each table the distinct keys lie lane by lane, so what a lane answers is copied into place as
// one range, and what it is sent is one range too. Built by a BatchPreparer on the reading thread,
// then handed over whole; one thread at a time owns it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/types.h"
#include "common/data/batch.h"
#include "proto/cluster.pb.h"
#include "proto/parameters.pb.h"

namespace antiphon {

// The distinct keys of one table in one batch.
struct DistinctKeys {
  std::vector<Key> keys;             // lane by lane; within a lane in order of first appearance
  std::vector<uint32_t> counts;      // per key: shows << 16 | clicks, both saturating
  std::vector<uint32_t> lane_begin;  // lanes + 1: the keys of lane l are [lane_begin[l], ...[l+1])
};

struct PreparedBatch {
  Batch batch;
  std::vector<DistinctKeys> tables;  // per table of the schema
  std::vector<std::vector<uint32_t>>
      row_of_value;  // per sparse column: index into its table's keys
};

// Makes batches ready. Keeps scratch memory, so that a steady stream of batches of one size
// allocates nothing. Owned by one thread.
class BatchPreparer {
 public:
  // `table_of_column`: the table of each sparse column. The view names the lane of each shard.
  BatchPreparer(const ParameterSchema& schema, const ClusterView& view,
                std::vector<TableId> table_of_column);

  // Fills everything but `prepared.batch`, which is given.
  void Prepare(PreparedBatch& prepared);

 private:
  // One slot of the hash set that finds repeated keys; valid when `stamp` is the current one.
  struct Slot {
    Key key = 0;
    uint32_t stamp = 0;
    uint32_t index = 0;
  };

  void StartTable(size_t values);
  uint32_t IndexOf(Key key);
  void CollectKeys(TableId table, PreparedBatch& prepared);
  void GroupByLane(TableId table, DistinctKeys& distinct);
  void RenumberColumns(TableId table, PreparedBatch& prepared);

  const uint32_t shard_count_;
  const uint32_t lane_count_;
  const std::vector<uint32_t> lane_of_shard_;
  const std::vector<TableId> table_of_column_;
  const size_t table_count_;

  std::vector<Slot> slots_;  // a power of two
  uint32_t stamp_ = 0;
  std::vector<Key> found_;  // distinct keys in order of first appearance
  std::vector<uint32_t> found_shows_;
  std::vector<uint32_t> found_clicks_;
  std::vector<uint32_t> found_lane_;
  std::vector<uint32_t> place_;  // where found key i went in the lane-by-lane order
  std::vector<uint32_t> next_place_;
};

}  // namespace antiphon
