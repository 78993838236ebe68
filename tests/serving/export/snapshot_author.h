// SnapshotAuthor: a job that trains at random, and writes the snapshots that a real one would.
//
// Two tables, a few dense blocks, no cluster: rows appear, change, go, and come back, and dense
// weights change, in memory; snapshots of that, full or delta, go to any file system. Owned by one
// thread.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/base/file_system.h"
#include "common/base/rng.h"
#include "common/base/types.h"
#include "common/ckpt/lane_file_writer.h"
#include "common/ckpt/row_history.h"
#include "proto/plan.pb.h"
#include "proto/snapshot.pb.h"

namespace antiphon {

// By table, by key: weights.
using TableRows = std::vector<std::map<Key, std::vector<float>>>;

class SnapshotAuthor {
 public:
  enum class Kind { kFull, kDelta };

  // `embedding_dim` is that of the first table.
  explicit SnapshotAuthor(uint64_t seed, uint32_t embedding_dim = 3);

  // Trains on a few samples.
  void Train();
  // One row has those weights, a number for all of them, and was met so often.
  void TrainRow(TableId table, Key key, float weight, const RowHistory& history);
  // The snapshot that comes next, in `directory`.
  void Write(FileSystem& fs, const std::string& directory, Kind kind);

  const TableRows& rows() const { return rows_; }
  const std::vector<float>& block(BlockId id) const { return blocks_[id]; }
  uint64_t version() const { return version_; }

  // Of what is written from now on.
  void set_promoted(bool promoted) { manifest_.set_promoted(promoted); }
  void set_cluster_id(uint64_t id) { manifest_.set_cluster_id(id); }
  void set_version(uint64_t version) { version_ = version; }
  TrainingPlan& plan() { return *manifest_.mutable_plan(); }

 private:
  void WriteRows(LaneFileWriter& writer, TableId table, const std::set<Key>& keys) const;
  void WriteTombstones(LaneFileWriter& writer, TableId table) const;
  void WriteChunks(LaneFileWriter& writer) const;
  std::vector<float> RandomRow(TableId table);

  Rng rng_;
  SnapshotManifest manifest_;  // of the last one
  uint32_t manifest_crc32c_ = 0;
  uint64_t version_ = 0;
  TableRows rows_;
  std::vector<std::vector<float>> blocks_;
  // By table; of rows that are not here, nothing is known.
  std::vector<std::map<Key, RowHistory>> histories_;
  // Since the last snapshot, by table.
  std::vector<std::set<Key>> changed_;
  std::vector<std::map<Key, uint32_t>> removed_;  // why
};

}  // namespace antiphon
