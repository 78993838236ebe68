// SnapshotService: writes a lane's rows, chunks and positions as they stand at one moment to a
// file, while the lane goes on, and takes them back from the files of any number of lanes.
//
// Write only marks the moment. Advance, called between two requests, does the rest in slices
// (server/lane_cut.h). Restore runs to its end. Owned by a Lane, used on its thread.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/file_system.h"
#include "common/base/status.h"
#include "proto/cluster.pb.h"
#include "proto/snapshot.pb.h"
#include "server/lane_cut.h"
#include "server/lane_state.h"
#include "server/snapshot_writer.h"

namespace antiphon {

class SnapshotService {
 public:
  // `waker` ends the wait of the lane's thread; null when nobody waits.
  SnapshotService(LaneState& state, FileSystem& fs, SnapshotWriter& writer,
                  std::shared_ptr<Waker> waker)
      : state_(state), fs_(fs), writer_(writer), waker_(std::move(waker)) {}

  // Begins the lane's file in an existing folder; the moment of the snapshot is this call. True
  // when the request was answered before and `reply` is that answer; false when TakeResult will
  // have it.  // A repeat of the request that is being answered changes nothing. One for a later
  // version in that time means that nobody waits for the earlier: that one is given up, and the
  // moment of the later is when it can begin. kFailedPrecondition for a delta of another snapshot
  // than the one that was written or restored last.
  StatusOr<bool> Write(const WriteSnapshotRequest& request, WriteSnapshotReply& reply);

  // A slice of what Write began. True when the next one can follow at once.
  bool Advance();

  // The lane has other shards now: the next snapshot is a full one, and a file under way is given
  // up.
  void BeginAnew();

  // How the file ended, once: after that another may begin. kAlreadyExists: it would have replaced
  // a file. Nothing while it is under way.
  std::optional<StatusOr<WriteSnapshotReply>> TakeResult();

  // Replaces everything by what the files hold of this lane's shards; each file's positions become
  // a group of the ledger. On an error the lane stays as it was. The last request is answered again
  // without reading; kFailedPrecondition once a push was applied.
  Status Restore(const RestoreRequest& request, RestoreReply& reply);

 private:
  // A file under way.
  struct Writing {
    WriteSnapshotRequest request;
    std::shared_ptr<LaneFile> file;
    std::unique_ptr<LaneCut> cut;  // null once every row is passed
    Status cut_status;
  };

  Status Begin(const WriteSnapshotRequest& request);
  Status CheckDelta(uint64_t since) const;
  void KeepTombstones();

  LaneState& state_;
  FileSystem& fs_;
  SnapshotWriter& writer_;
  const std::shared_ptr<Waker> waker_;
  std::optional<Writing> writing_;
  std::optional<WriteSnapshotRequest> next_;  // behind it
  uint64_t delta_base_ = 0;  // what the marks of rows and the tombstones count from; 0: nothing
  WriteSnapshotRequest last_write_;
  WriteSnapshotReply written_;  // without a file: none was written yet
  std::string last_restore_;    // the request's bytes
  RestoreReply restored_;
};

}  // namespace antiphon
