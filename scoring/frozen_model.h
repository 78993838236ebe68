// FrozenModel: a snapshot in memory, only to be read: the job that it was trained by, what was
// fitted on the data, and the weights without the state of their optimizers.
//
// Frozen after Load: any thread may read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/base/file_system.h"
#include "common/base/status.h"
#include "common/base/types.h"
#include "common/ckpt/lane_block.h"
#include "common/ckpt/lane_file_reader.h"
#include "common/ckpt/row_history.h"
#include "common/ckpt/snapshot_chain.h"
#include "models/trained_model.h"
#include "proto/job.pb.h"
#include "proto/plan.pb.h"
#include "proto/snapshot.pb.h"

namespace antiphon {

class FrozenModel final : public TrainedModel {
 public:
  // `path` is a snapshot, or a folder of snapshots, of which the newest is taken. kDataLoss: it is
  // damaged or not whole.
  static StatusOr<std::unique_ptr<FrozenModel>> Load(FileSystem& fs, const std::string& path);

  const Job& job() const override { return job_; }
  const TrainingPlan& plan() const override { return manifest_.plan(); }
  const std::string& folder() const override { return folder_; }
  // Of the newest snapshot in the chain.
  const SnapshotManifest& manifest() const { return manifest_; }

  bool CopyRow(TableId table, Key key, float* weights) const override;
  std::span<const float> block(BlockId id) const override { return blocks_[id]; }

  // Rows of a table, sorted by key: row i of row_count(table).
  size_t row_count(TableId table) const { return tables_[table].places.size(); }
  Key row_key(TableId table, size_t i) const { return tables_[table].places[i].key; }
  std::span<const float> row_weights(TableId table, size_t i) const {
    return {tables_[table].weights.data() + tables_[table].places[i].weights_at,
            tables_[table].dim};
  }
  const RowHistory& row_history(TableId table, size_t i) const {
    return tables_[table].places[i].history;
  }

 private:
  // Where a row's weights lie, or that a delta removed it. Of a key that comes several times, the
  // last that was read counts.
  struct Place {
    static constexpr uint64_t kRemoved = ~uint64_t{0};
    Key key = 0;
    uint32_t link = 0;  // of the chain
    uint64_t weights_at = 0;
    RowHistory history;
  };
  // Sorted by key once all is read.
  struct Table {
    size_t dim = 0;
    std::vector<Place> places;
    std::vector<float> weights;
  };

  FrozenModel() = default;

  Status ReadPlan();
  Status ReadLink(FileSystem& fs, const SnapshotLink& link, uint32_t number);
  Status ReadFile(LaneFileReader& reader);
  Status ReadRows(const LaneBlock& block);
  Status ReadTombstones(const LaneBlock& block);
  Status ReadChunk(const LaneBlock& block);
  static Status Settle(Table& table);
  Status Finish();

  std::string folder_;
  SnapshotManifest manifest_;
  Job job_;
  std::vector<Table> tables_;
  std::vector<std::vector<float>> blocks_;
  // While it is read: the link, and by block what the link has not brought yet.
  uint32_t link_ = 0;
  std::vector<uint64_t> floats_missing_;
};

}  // namespace antiphon
