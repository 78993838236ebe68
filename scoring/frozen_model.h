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
#include "common/ckpt/snapshot_chain.h"
#include "proto/job.pb.h"
#include "proto/plan.pb.h"
#include "proto/snapshot.pb.h"

namespace antiphon {

class FrozenModel {
 public:
  // `path` is a snapshot, or a folder of snapshots, of which the newest is taken. kDataLoss: it is
  // damaged or not whole.
  static StatusOr<std::unique_ptr<FrozenModel>> Load(FileSystem& fs, const std::string& path);

  const Job& job() const { return job_; }
  // Its schema, and the statistics of the features.
  const TrainingPlan& plan() const { return plan_; }
  // The folder that was read.
  const std::string& folder() const { return folder_; }

  // The weights of a row, as many as the table's dim; null for a key that training never met.
  const float* FindRow(TableId table, Key key) const;
  // By BlockId.
  std::span<const float> block(BlockId id) const { return blocks_[id]; }

 private:
  // Where a row's weights lie, or that a delta removed it. Of a key that comes several times, the
  // last that was read counts.
  struct Place {
    static constexpr uint64_t kRemoved = ~uint64_t{0};
    Key key = 0;
    uint32_t link = 0;  // of the chain
    uint64_t weights_at = 0;
  };
  // Sorted by key once all is read.
  struct Table {
    size_t dim = 0;
    std::vector<Place> places;
    std::vector<float> weights;
  };

  FrozenModel() = default;

  Status ReadPlan(const SnapshotManifest& manifest);
  Status ReadLink(FileSystem& fs, const SnapshotLink& link, uint32_t number);
  Status ReadFile(LaneFileReader& reader);
  Status ReadRows(const LaneBlock& block);
  Status ReadTombstones(const LaneBlock& block);
  Status ReadChunk(const LaneBlock& block);
  static Status Settle(Table& table);
  Status Finish();

  std::string folder_;
  TrainingPlan plan_;
  Job job_;
  std::vector<Table> tables_;
  std::vector<std::vector<float>> blocks_;
  // While it is read: the link, and by block what the link has not brought yet.
  uint32_t link_ = 0;
  std::vector<uint64_t> floats_missing_;
};

}  // namespace antiphon
