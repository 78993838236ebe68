// LaneRestorer: builds a lane's parameters from the snapshot files of any number of lanes.
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
#include <utility>
#include <vector>

#include "common/base/file_system.h"
#include "common/base/status.h"
#include "common/ckpt/lane_file_reader.h"
#include "proto/cluster.pb.h"
#include "proto/snapshot.pb.h"
#include "server/lane_store.h"

namespace antiphon {

class LaneRestorer {
 public:
  // `store` is empty and outlives the restorer.
  LaneRestorer(FileSystem& fs, LaneStore& store);

  // kDataLoss: the file is damaged or contradicts itself; kFailedPrecondition: it is whole but of
  // another model.
  Status ReadFile(const std::string& directory, const SnapshotFile& file);

  // After the last file: that nothing is missing, and the pushes that the tables have counted.
  Status Finish();

  // Of all files, in the order they were read.
  const std::vector<PositionGroup>& groups() const { return groups_; }
  uint64_t rows() const { return rows_; }
  uint64_t chunks() const { return chunks_seen_.size(); }

 private:
  Status ReadHeader(const LaneFileHeader& header);
  Status ReadBlocks(LaneFileReader& reader);
  Status ReadRows(const LaneBlock& block);
  Status ReadRow(RowTable& table, std::span<const std::byte> record);
  Status ReadChunk(const LaneBlock& block);

  FileSystem& fs_;
  LaneStore& store_;
  std::vector<PositionGroup> groups_;
  std::vector<uint64_t> table_pushes_;
  BlockId blocks_ = 0;            // that the snapshot has: the first ones of the job
  std::vector<uint8_t> in_file_;  // by shard: the file that is being read has it
  std::vector<float> floats_;
  uint64_t rows_ = 0;
  std::set<std::pair<BlockId, uint32_t>> chunks_seen_;
};

}  // namespace antiphon
