// LaneFileReader: reads one lane's part of a snapshot and believes nothing that it has not checked.
//
// A block is handed out only after its checksums matched. Next returns nothing only after the end
// block agreed with what was read and size and checksum of the whole file are those that the
// manifest promised; a caller installs what it read only then. Errors name the file, the offset
// and what is wrong. Owned by one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/base/file_system.h"
#include "common/base/status.h"
#include "common/ckpt/lane_block.h"
#include "proto/cluster.pb.h"
#include "proto/snapshot.pb.h"

namespace antiphon {

class LaneFileReader {
 public:
  // Opens `directory`/`expected.name` and reads its header. kNotFound: no such file; kDataLoss:
  // another size than expected, or a damaged header.
  static StatusOr<std::unique_ptr<LaneFileReader>> Open(FileSystem& fs,
                                                        const std::string& directory,
                                                        const SnapshotFile& expected);

  const LaneFileHeader& header() const { return header_; }
  const std::string& path() const { return path_; }

  // The next block but the end; its payload is good until the next call. Nothing at the end
  // of a good file.
  StatusOr<std::optional<LaneBlock>> Next();

 private:
  LaneFileReader(std::string path, const SnapshotFile& expected, std::unique_ptr<ReadableFile> file)
      : path_(std::move(path)), expected_(expected), file_(std::move(file)) {}

  Status ReadHeader();
  // Returns the checksum of what it read.
  StatusOr<uint32_t> ReadExactly(std::span<std::byte> out);
  StatusOr<std::optional<LaneBlock>> NextChecked();
  Status Count(const LaneBlock& block);
  Status CheckEnd(std::span<const std::byte> payload) const;
  Status AtBlock(const Status& status) const;  // with the file and the offset

  std::string path_;
  SnapshotFile expected_;
  std::unique_ptr<ReadableFile> file_;
  LaneFileHeader header_;
  std::vector<std::byte> payload_;
  uint64_t offset_ = 0;        // of the next byte
  uint64_t block_offset_ = 0;  // of the block that is being read
  uint32_t crc32c_ = 0;        // of what was read
  LaneFileTotals seen_;
  bool ended_ = false;
};

}  // namespace antiphon
