#include "server/snapshot_service.h"

#include <utility>

#include "common/base/logging.h"
#include "common/ckpt/lane_file_writer.h"
#include "common/ckpt/snapshot_manifest.h"
#include "server/lane_file_source.h"
#include "server/lane_restorer.h"

namespace antiphon {

Status SnapshotService::Write(const WriteSnapshotRequest& request, WriteSnapshotReply& reply) {
  const bool is_repeated = written_.has_file() && request.version() == last_write_.version() &&
                           request.directory() == last_write_.directory();
  if (!is_repeated) {
    // A request that was under way for long must not replace what a manifest has sealed since.
    const std::string path = request.directory() + "/" + LaneFileName(state_.store->lane());
    if (fs_.Exists(path)) {
      return AlreadyExistsError(path + " exists already; a snapshot is never written over");
    }
    AP_ASSIGN_OR_RETURN(*written_.mutable_file(), WriteFile(request));
    last_write_ = request;
    LOG(INFO) << "lane " << state_.store->lane() << " wrote " << path << ": "
              << written_.file().rows() << " rows, " << written_.file().bytes() << " bytes";
  }
  reply = written_;
  return Status();
}

StatusOr<SnapshotFile> SnapshotService::WriteFile(const WriteSnapshotRequest& request) const {
  const LaneStore& store = *state_.store;
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<LaneFileWriter> writer,
                      LaneFileWriter::Create(fs_, request.directory(), LaneFileName(store.lane()),
                                             MakeLaneFileHeader(state_, request.version())));
  AP_RETURN_IF_ERROR(AppendLane(store, *writer));
  return writer->Finish();
}

Status SnapshotService::Restore(const RestoreRequest& request, RestoreReply& reply) {
  std::string bytes = request.SerializeAsString();
  if (!last_restore_.empty() && bytes == last_restore_) {
    reply = restored_;
    return Status();
  }
  if (state_.counters.pushes > 0) {
    return FailedPreconditionError("lane " + std::to_string(state_.store->lane()) +
                                   " has applied pushes already; restore before training starts");
  }
  AP_ASSIGN_OR_RETURN(std::unique_ptr<LaneStore> store, state_.store->CreateEmpty());
  LaneRestorer restorer(fs_, *store);
  for (const SnapshotFile& file : request.files()) {
    AP_RETURN_IF_ERROR(restorer.ReadFile(request.directory(), file));
  }
  AP_RETURN_IF_ERROR(restorer.Finish());
  if (request.forget_positions()) {
    state_.ledger.Reset(store->shard_count(), store->shards());
  } else {
    AP_RETURN_IF_ERROR(
        state_.ledger.Restore(store->shard_count(), store->shards(), restorer.groups()));
  }
  state_.store = std::move(store);
  state_.handles.Clear();
  restored_.set_rows(restorer.rows());
  restored_.set_chunks(restorer.chunks());
  last_restore_ = std::move(bytes);
  reply = restored_;
  LOG(INFO) << "lane " << state_.store->lane() << " restored " << restored_.rows() << " rows and "
            << restored_.chunks() << " chunks from " << request.directory();
  return Status();
}

}  // namespace antiphon
