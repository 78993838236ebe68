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

// A key whose row went, and why, by the numbers of docs/snapshot.md.
struct RemovedRow {
  Key key = 0;
  uint32_t reason = 0;
};

class FrozenModel final : public TrainedModel {
 public:
  // `path` is a snapshot, or a folder of snapshots, of which the newest is taken. kDataLoss: it is
  // damaged or not whole.
  static StatusOr<std::unique_ptr<FrozenModel>> Load(FileSystem& fs, const std::string& path);

  // A delta alone, without what it grows from: the rows that changed, the keys whose rows went, and
  // all dense blocks. It takes the memory of these rows and no more.
  static StatusOr<std::unique_ptr<FrozenModel>> LoadDelta(FileSystem& fs,
                                                          const SnapshotLink& delta);

  const Job& job() const override { return job_; }
  const TrainingPlan& plan() const override { return manifest_.plan(); }
  const std::string& folder() const override { return folder_; }
  // Of the newest snapshot in the chain.
  const SnapshotManifest& manifest() const { return manifest_; }
  uint32_t manifest_crc32c() const { return manifest_crc32c_; }

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
  // After LoadDelta: keys without a row, ascending.
  std::span<const RemovedRow> removed(TableId table) const { return tables_[table].removed; }

 private:
  enum class Removed { kForget, kKeep };
  // Where a row's weights lie, or that a delta removed it. Of a key that comes several times, the
  // last that was read counts.
  struct Place {
    static constexpr uint64_t kRemoved = ~uint64_t{0};
    Key key = 0;
    uint32_t link = 0;    // of the chain
    uint32_t reason = 0;  // why it was removed
    uint64_t weights_at = 0;
    RowHistory history;
  };
  // Sorted by key once all is read.
  struct Table {
    size_t dim = 0;
    std::vector<Place> places;
    std::vector<float> weights;
    std::vector<RemovedRow> removed;
  };

  explicit FrozenModel(Removed removed) : keeps_removed_(removed) {}

  static StatusOr<std::unique_ptr<FrozenModel>> Read(FileSystem& fs,
                                                     std::span<const SnapshotLink> links,
                                                     Removed removed);
  Status ReadPlan();
  Status ReadLink(FileSystem& fs, const SnapshotLink& link, uint32_t number);
  Status ReadFile(LaneFileReader& reader);
  Status ReadRows(const LaneBlock& block);
  Status ReadTombstones(const LaneBlock& block);
  Status ReadChunk(const LaneBlock& block);
  Status Settle(Table& table) const;
  Status Finish();

  const Removed keeps_removed_;
  std::string folder_;
  SnapshotManifest manifest_;
  uint32_t manifest_crc32c_ = 0;
  Job job_;
  std::vector<Table> tables_;
  std::vector<std::vector<float>> blocks_;
  // While it is read: the link, and by block what the link has not brought yet.
  uint32_t link_ = 0;
  std::vector<uint64_t> floats_missing_;
};

}  // namespace antiphon
