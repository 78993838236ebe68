// SnapshotService: writes a lane's rows, chunks and positions to a file, and takes them back from
// the files of any number of lanes.
//
// Both run to their end between two requests, so a file shows one moment. Owned by a Lane, used on
// its thread.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "common/base/file_system.h"
#include "common/base/status.h"
#include "proto/cluster.pb.h"
#include "proto/snapshot.pb.h"
#include "server/lane_state.h"

namespace antiphon {

class SnapshotService {
 public:
  SnapshotService(LaneState& state, FileSystem& fs) : state_(state), fs_(fs) {}

  // Writes the lane's file into an existing folder. The last request is answered again without
  // writing; kAlreadyExists for any other that would replace a file.
  Status Write(const WriteSnapshotRequest& request, WriteSnapshotReply& reply);

  // Replaces everything by what the files hold of this lane's shards; each file's positions become
  // a group of the ledger. On an error the lane stays as it was. The last request is answered again
  // without reading; kFailedPrecondition once a push was applied.
  Status Restore(const RestoreRequest& request, RestoreReply& reply);

 private:
  StatusOr<SnapshotFile> WriteFile(const WriteSnapshotRequest& request) const;

  LaneState& state_;
  FileSystem& fs_;
  WriteSnapshotRequest last_write_;
  WriteSnapshotReply written_;
  std::string last_restore_;  // the request's bytes
  RestoreReply restored_;
};

}  // namespace antiphon
