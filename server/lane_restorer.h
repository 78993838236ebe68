// LaneRestorer: fills a lane's parameters, or some shards of them, from the snapshot files of any
// number of lanes: those of a full snapshot, then those of the deltas behind it.
//
// It keeps what belongs to the shards that are wanted, and believes nothing: schemas must fit (the
// job may have grown), every shard's rows must stand in the file that says it has them, every chunk
// that is wanted must be there, every number must be finite. A link is read in one go, or in slices
// that a lane takes between two requests. Used on the lane's thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
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
  // For all shards of `store`, which is empty and outlives the restorer.
  LaneRestorer(FileSystem& fs, LaneStore& store);
  // For shards that the tables of `store` have adopted; `dense` has their chunks. Both outlive the
  // restorer. Files without a wanted shard are not read beyond their header.
  LaneRestorer(FileSystem& fs, LaneStore& store, DenseStore& dense,
               const std::vector<ShardId>& adopted);

  // The files of one snapshot: of a full one at first, then of each delta in its order. kDataLoss:
  // a file is damaged or contradicts itself, something is missing, or the delta is not the next;
  // kFailedPrecondition: all is whole but of another model. The tables then have counted the pushes
  // that the snapshot says.
  Status ReadLink(const std::string& directory, const SnapshotFiles& files);

  // The same in slices. Advance reads a block, or installs about `bytes` of the one that was read;
  // false once the link is over. After an error the link cannot be gone on with. What the tables
  // count is left to the caller.
  void BeginLink(const std::string& directory, const SnapshotFiles& files);
  StatusOr<bool> Advance(size_t bytes);

  // Of the last snapshot's files, in the order they were read.
  const std::vector<PositionGroup>& groups() const { return groups_; }
  // By table: the most pushes that any of these files counts.
  const std::vector<uint64_t>& table_pushes() const { return table_pushes_; }
  // What the tables have now.
  uint64_t rows() const;
  uint64_t chunks() const { return chunks_seen_.size(); }

 private:
  // A file on its way, and the block of it that is being installed.
  struct Reading {
    std::unique_ptr<LaneFileReader> file;
    std::optional<LaneBlock> block;
    size_t at;  // bytes of the block's payload that are installed
  };

  void Want(const std::vector<ShardId>& shards);
  Status OpenNext();
  Status Install(Reading& reading, size_t bytes);
  bool Wants(ShardId shard) const { return wanted_[shard] != 0; }
  bool HasWanted(const LaneFileHeader& header) const;
  Status ReadHeader(const LaneFileHeader& header);
  Status CheckPlaceInChain(const LaneFileHeader& header);
  Status ReadBlock(const LaneBlock& block);
  Status CheckRows(const LaneBlock& block) const;
  // Whether it was one that is wanted.
  StatusOr<bool> ReadRow(RowTable& table, std::span<const std::byte> record);
  Status ReadChunk(const LaneBlock& block);
  Status ReadTombstones(const LaneBlock& block);
  Status ReadSightings(const LaneBlock& block);
  Status EndLink();

  FileSystem& fs_;
  LaneStore& store_;
  DenseStore& dense_;
  const bool adopts_;
  std::vector<uint8_t> wanted_;  // by shard
  std::string directory_;        // of the link that is being read
  SnapshotFiles files_;
  int next_file_ = 0;
  std::optional<Reading> reading_;
  std::vector<PositionGroup> groups_;
  std::vector<uint64_t> table_pushes_;
  BlockId blocks_ = 0;            // that the snapshot has: the first ones of the job
  std::vector<uint8_t> in_file_;  // by shard: the file that is being read has it
  std::vector<float> floats_;
  uint64_t version_ = 0;         // of the snapshot that is read, once a header said it; else 0
  uint64_t version_before_ = 0;  // of the one read before
  bool is_delta_ = false;        // what is read; the first is not
  size_t links_ = 0;
  std::set<ShardId> shards_seen_;  // of those that are wanted
  uint64_t sightings_read_ = 0;    // bytes of the file's last table that had any
  // By table: what a delta has brought, since a key must not come twice.
  std::vector<std::unordered_set<Key>> delta_keys_;
  std::set<std::pair<BlockId, uint32_t>> chunks_seen_;
};

}  // namespace antiphon
