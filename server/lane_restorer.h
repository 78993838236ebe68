// LaneRestorer: builds a lane's parameters from the snapshot files of any number of lanes: those of
// a full snapshot, then those of the deltas behind it.
//
// It reads every file to its end, keeps what belongs to the lane's shards, and believes nothing:
// schemas must fit (the job may have grown), every shard's rows must stand in the file that says it
// has them, every chunk of the lane must be there, every number must be finite. Used once, on the
// lane's thread.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include <google/protobuf/repeated_ptr_field.h>

#include "common/base/file_system.h"
#include "common/base/status.h"
#include "common/ckpt/lane_file_reader.h"
#include "proto/cluster.pb.h"
#include "proto/snapshot.pb.h"
#include "server/lane_store.h"

namespace antiphon {

using SnapshotFiles = google::protobuf::RepeatedPtrField<SnapshotFile>;

class LaneRestorer {
 public:
  // `store` is empty and outlives the restorer.
  LaneRestorer(FileSystem& fs, LaneStore& store);

  // The files of one snapshot: of a full one at first, then of each delta in its order. kDataLoss:
  // a file is damaged or contradicts itself, something is missing, or the delta is not the next;
  // kFailedPrecondition: all is whole but of another model.
  Status ReadLink(const std::string& directory, const SnapshotFiles& files);

  // Of the last snapshot's files, in the order they were read.
  const std::vector<PositionGroup>& groups() const { return groups_; }
  // What the lane has now.
  uint64_t rows() const;
  uint64_t chunks() const { return chunks_seen_.size(); }

 private:
  Status ReadFile(const std::string& directory, const SnapshotFile& file);
  Status ReadHeader(const LaneFileHeader& header);
  Status CheckPlaceInChain(const LaneFileHeader& header);
  Status ReadBlocks(LaneFileReader& reader);
  Status ReadBlock(const LaneBlock& block);
  Status ReadRows(const LaneBlock& block);
  Status ReadRow(RowTable& table, std::span<const std::byte> record);
  Status ReadChunk(const LaneBlock& block);
  Status ReadTombstones(const LaneBlock& block);
  Status ReadSightings(const LaneBlock& block);
  Status EndLink();

  FileSystem& fs_;
  LaneStore& store_;
  std::vector<PositionGroup> groups_;
  std::vector<uint64_t> table_pushes_;
  BlockId blocks_ = 0;            // that the snapshot has: the first ones of the job
  std::vector<uint8_t> in_file_;  // by shard: the file that is being read has it
  std::vector<float> floats_;
  uint64_t version_ = 0;         // of the snapshot that is read, once a header said it; else 0
  uint64_t version_before_ = 0;  // of the one read before
  bool is_delta_ = false;        // what is read; the first is not
  size_t links_ = 0;
  std::set<ShardId> shards_seen_;  // of ours
  uint64_t sightings_read_ = 0;    // bytes of the file's last table that had any
  // By table: what a delta has brought, since a key must not come twice.
  std::vector<std::unordered_set<Key>> delta_keys_;
  std::set<std::pair<BlockId, uint32_t>> chunks_seen_;
};

}  // namespace antiphon
