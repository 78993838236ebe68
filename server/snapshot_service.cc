#include "server/snapshot_service.h"

#include <utility>

#include "common/base/logging.h"
#include "common/ckpt/snapshot_manifest.h"
#include "server/lane_restorer.h"

namespace antiphon {

namespace {

bool SameWrite(const WriteSnapshotRequest& a, const WriteSnapshotRequest& b) {
  return a.version() == b.version() && a.directory() == b.directory();
}

}  // namespace

StatusOr<bool> SnapshotService::Write(const WriteSnapshotRequest& request,
                                      WriteSnapshotReply& reply) {
  if (writing_.has_value()) {
    if (SameWrite(request, writing_->request)) {
      return false;
    }
    return FailedPreconditionError("lane " + std::to_string(state_.store->lane()) +
                                   " is still writing " + writing_->file->path());
  }
  if (written_.has_file() && SameWrite(request, last_write_)) {
    reply = written_;
    return true;
  }
  writing_.emplace();
  writing_->request = request;
  writing_->file =
      std::make_shared<LaneFile>(request.directory(), LaneFileName(state_.store->lane()),
                                 MakeLaneFileHeader(state_, request.version()), waker_);
  writing_->cut =
      std::make_unique<LaneCut>(*state_.store, CutScope::kAllRows, writing_->file, writer_);
  return false;
}

bool SnapshotService::Advance() {
  if (!writing_.has_value() || writing_->cut == nullptr) {
    return false;
  }
  const LaneCut::Progress progress = writing_->cut->Advance();
  if (progress == LaneCut::Progress::kDone) {
    writing_->cut_status = writing_->cut->status();
    writing_->cut.reset();
  }
  return progress == LaneCut::Progress::kMore;
}

std::optional<StatusOr<WriteSnapshotReply>> SnapshotService::TakeResult() {
  if (!writing_.has_value() || writing_->cut != nullptr) {
    return std::nullopt;
  }
  std::optional<StatusOr<SnapshotFile>> file = writing_->file->result();
  if (!writing_->cut_status.ok()) {
    file = writing_->cut_status;
  }
  if (!file.has_value()) {
    return std::nullopt;
  }
  const Writing done = *std::exchange(writing_, std::nullopt);
  if (!file->ok()) {
    return file->status();
  }
  last_write_ = done.request;
  *written_.mutable_file() = **file;
  LOG(INFO) << "lane " << state_.store->lane() << " wrote " << done.file->path() << ": "
            << written_.file().rows() << " rows, " << written_.file().bytes() << " bytes";
  return written_;
}

Status SnapshotService::Restore(const RestoreRequest& request, RestoreReply& reply) {
  std::string bytes = request.SerializeAsString();
  if (!last_restore_.empty() && bytes == last_restore_) {
    reply = restored_;
    return Status();
  }
  if (writing_.has_value()) {
    return FailedPreconditionError("lane " + std::to_string(state_.store->lane()) +
                                   " is writing a snapshot");
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
