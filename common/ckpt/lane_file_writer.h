// LaneFileWriter: writes one lane's part of a snapshot so that a reader sees all of it or nothing.
//
// It writes under a temporary name; Finish syncs, renames and syncs the folder. A writer that is
// dropped before Finish removes what it wrote. Owned by one thread.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "common/base/file_system.h"
#include "common/base/status.h"
#include "common/ckpt/lane_block.h"
#include "proto/cluster.pb.h"
#include "proto/snapshot.pb.h"

namespace antiphon {

class LaneFileWriter {
 public:
  // Begins `directory`/`name`; the folder exists.
  static StatusOr<std::unique_ptr<LaneFileWriter>> Create(FileSystem& fs,
                                                          const std::string& directory,
                                                          const std::string& name,
                                                          const LaneFileHeader& header);
  ~LaneFileWriter();
  LaneFileWriter(const LaneFileWriter&) = delete;
  LaneFileWriter& operator=(const LaneFileWriter&) = delete;

  // Anything but the end, with a payload of at most kMaxBlockBytes. After an error the file
  // is lost.
  Status Append(const LaneBlock& block);

  // Ends the file and makes it durable. Called once, last.
  StatusOr<SnapshotFile> Finish();

 private:
  LaneFileWriter(FileSystem& fs, const std::string& directory, const std::string& name);

  std::string temporary_path() const { return directory_ + "/" + name_ + ".tmp"; }
  Status Write(std::span<const std::byte> bytes, uint32_t crc32c);
  Status WriteBlock(const LaneBlock& block);

  FileSystem& fs_;
  std::string directory_;
  std::string name_;
  std::unique_ptr<WritableFile> file_;  // null: not created, or finished
  SnapshotFile summary_;
  uint64_t blocks_ = 0;
  uint32_t crc32c_ = 0;
};

}  // namespace antiphon
