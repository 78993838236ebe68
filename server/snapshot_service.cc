#include "server/snapshot_service.h"

#include <utility>

#include "common/base/logging.h"
#include "common/ckpt/snapshot_manifest.h"
#include "server/lane_restorer.h"

namespace antiphon {

namespace {

bool SameWrite(const WriteSnapshotRequest& a, const WriteSnapshotRequest& b) {
  return a.version() == b.version() && a.directory() == b.directory() &&
         a.delta_since() == b.delta_since();
}

}  // namespace

StatusOr<bool> SnapshotService::Write(const WriteSnapshotRequest& request,
                                      WriteSnapshotReply& reply) {
  if (writing_.has_value() && SameWrite(request, writing_->request)) {
    return false;
  }
  if (writing_.has_value()) {
    if (request.version() < writing_->request.version()) {
      return FailedPreconditionError("lane " + std::to_string(state_.store->lane()) +
                                     " is writing a later snapshot, " + writing_->file->path());
    }
    if (writing_->cut != nullptr) {
      writing_->cut->GiveUp(CancelledError("a later snapshot was asked for"));
    }
    next_ = request;
    return false;
  }
  if (written_.has_file() && SameWrite(request, last_write_)) {
    reply = written_;
    return true;
  }
  AP_RETURN_IF_ERROR(Begin(request));
  return false;
}

Status SnapshotService::Begin(const WriteSnapshotRequest& request) {
  if (request.has_delta_since()) {
    AP_RETURN_IF_ERROR(CheckDelta(request.delta_since()));
  }
  // Unless this one ends well, nobody has what the rows are about to forget.
  delta_base_ = 0;
  writing_.emplace();
  writing_->request = request;
  writing_->file =
      std::make_shared<LaneFile>(request.directory(), LaneFileName(state_.store->lane()),
                                 MakeLaneFileHeader(state_, request), waker_);
  const CutScope scope = request.has_delta_since() ? CutScope::kTouchedRows : CutScope::kAllRows;
  writing_->cut = std::make_unique<LaneCut>(*state_.store, scope, writing_->file, writer_);
  KeepTombstones();
  return Status();
}

Status SnapshotService::CheckDelta(uint64_t since) const {
  const LaneStore& store = *state_.store;
  bool is_known = since == delta_base_;
  for (TableId id = 0; id < store.table_count(); ++id) {
    is_known = is_known && store.table(id).has_all_tombstones();
  }
  if (is_known) {
    return Status();
  }
  return FailedPreconditionError("lane " + std::to_string(store.lane()) +
                                 " does not know what changed since snapshot " +
                                 std::to_string(since) + "; ask for a full one");
}

void SnapshotService::KeepTombstones() {
  for (TableId id = 0; id < state_.store->table_count(); ++id) {
    state_.store->table(id).KeepTombstones();
  }
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

void SnapshotService::BeginAnew() {
  delta_base_ = 0;
  if (writing_.has_value() && writing_->cut != nullptr) {
    writing_->cut->GiveUp(CancelledError("the lane has other shards now"));
  }
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
  if (next_.has_value()) {
    // Nobody waits for this one any more.
    const Status begun = Begin(*std::exchange(next_, std::nullopt));
    return begun.ok() ? std::nullopt : std::optional<StatusOr<WriteSnapshotReply>>(begun);
  }
  if (!file->ok()) {
    return file->status();
  }
  delta_base_ = done.request.version();
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
  AP_RETURN_IF_ERROR(restorer.ReadLink(request.directory(), request.files()));
  for (const RestoreDelta& delta : request.deltas()) {
    AP_RETURN_IF_ERROR(restorer.ReadLink(delta.directory(), delta.files()));
  }
  if (request.forget_positions()) {
    state_.ledger.Reset(store->shard_count(), store->shards());
  } else {
    AP_RETURN_IF_ERROR(
        state_.ledger.Restore(store->shard_count(), store->shards(), restorer.groups()));
  }
  state_.store = std::move(store);
  state_.handles.Clear();
  delta_base_ = request.version();
  KeepTombstones();
  restored_.set_rows(restorer.rows());
  restored_.set_chunks(restorer.chunks());
  last_restore_ = std::move(bytes);
  reply = restored_;
  LOG(INFO) << "lane " << state_.store->lane() << " restored " << restored_.rows() << " rows and "
            << restored_.chunks() << " chunks from " << request.directory();
  return Status();
}

}  // namespace antiphon
