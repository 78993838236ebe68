#include "worker/prepared_batch.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "common/base/hash.h"
#include "common/cluster/shard_map.h"

namespace antiphon {
namespace {

constexpr uint32_t kMaxCount = 0xffff;

uint32_t PackCounts(uint32_t shows, uint32_t clicks) {
  return std::min(shows, kMaxCount) << 16 | std::min(clicks, kMaxCount);
}

}  // namespace

BatchPreparer::BatchPreparer(const ParameterSchema& schema, const ClusterView& view,
                             std::vector<TableId> table_of_column)
    : shard_count_(schema.shard_count()),
      lane_count_(static_cast<uint32_t>(view.lanes_size())),
      lane_of_shard_(view.lane_of_shard().begin(), view.lane_of_shard().end()),
      table_of_column_(std::move(table_of_column)),
      table_count_(static_cast<size_t>(schema.tables_size())) {}

void BatchPreparer::Prepare(PreparedBatch& prepared) {
  prepared.tables.resize(table_count_);
  prepared.row_of_value.resize(prepared.batch.sparse.size());
  for (TableId table = 0; table < table_count_; ++table) {
    CollectKeys(table, prepared);
    GroupByLane(table, prepared.tables[table]);
    RenumberColumns(table, prepared);
  }
}

void BatchPreparer::StartTable(size_t values) {
  const size_t wanted = std::bit_ceil(std::max<size_t>(64, 2 * values));
  if (slots_.size() < wanted) {
    slots_.assign(wanted, Slot{});
    stamp_ = 0;
  }
  if (++stamp_ == 0) {  // after 2^32 tables the old stamps would look valid
    std::fill(slots_.begin(), slots_.end(), Slot{});
    stamp_ = 1;
  }
  found_.clear();
  found_shows_.clear();
  found_clicks_.clear();
}

uint32_t BatchPreparer::IndexOf(Key key) {
  const size_t mask = slots_.size() - 1;
  for (size_t at = Mix64(key) & mask;; at = (at + 1) & mask) {
    Slot& slot = slots_[at];
    if (slot.stamp != stamp_) {
      slot = {.key = key, .stamp = stamp_, .index = static_cast<uint32_t>(found_.size())};
      found_.push_back(key);
      found_shows_.push_back(0);
      found_clicks_.push_back(0);
      return slot.index;
    }
    if (slot.key == key) {
      return slot.index;
    }
  }
}

void BatchPreparer::CollectKeys(TableId table, PreparedBatch& prepared) {
  const Batch& batch = prepared.batch;
  size_t values = 0;
  for (size_t column = 0; column < batch.sparse.size(); ++column) {
    values += table_of_column_[column] == table ? batch.sparse[column].keys.size() : 0;
  }
  StartTable(values);
  const std::vector<float>* clicked = batch.labels.empty() ? nullptr : &batch.labels[0];
  for (size_t column = 0; column < batch.sparse.size(); ++column) {
    if (table_of_column_[column] != table) {
      continue;
    }
    const SparseColumn& sparse = batch.sparse[column];
    std::vector<uint32_t>& index = prepared.row_of_value[column];
    index.resize(sparse.keys.size());
    for (uint32_t row = 0; row < batch.rows; ++row) {
      const uint32_t click = clicked != nullptr && (*clicked)[row] > 0.5F ? 1 : 0;
      for (uint32_t i = sparse.offsets[row]; i < sparse.offsets[row + 1]; ++i) {
        index[i] = IndexOf(sparse.keys[i]);
        ++found_shows_[index[i]];
        found_clicks_[index[i]] += click;
      }
    }
  }
}

void BatchPreparer::GroupByLane(TableId table, DistinctKeys& distinct) {
  const size_t count = found_.size();
  found_lane_.resize(count);
  distinct.lane_begin.assign(lane_count_ + 1, 0);
  for (size_t i = 0; i < count; ++i) {
    found_lane_[i] = lane_of_shard_[ShardOfKey(table, found_[i], shard_count_)];
    ++distinct.lane_begin[found_lane_[i] + 1];
  }
  for (uint32_t lane = 0; lane < lane_count_; ++lane) {
    distinct.lane_begin[lane + 1] += distinct.lane_begin[lane];
  }
  next_place_.assign(distinct.lane_begin.begin(), distinct.lane_begin.end() - 1);
  place_.resize(count);
  distinct.keys.resize(count);
  distinct.counts.resize(count);
  for (size_t i = 0; i < count; ++i) {
    const uint32_t place = next_place_[found_lane_[i]]++;
    place_[i] = place;
    distinct.keys[place] = found_[i];
    distinct.counts[place] = PackCounts(found_shows_[i], found_clicks_[i]);
  }
}

void BatchPreparer::RenumberColumns(TableId table, PreparedBatch& prepared) {
  for (size_t column = 0; column < prepared.row_of_value.size(); ++column) {
    if (table_of_column_[column] != table) {
      continue;
    }
    for (uint32_t& row : prepared.row_of_value[column]) {
      row = place_[row];
    }
  }
}

}  // namespace antiphon
