#include "scheduler/snapshot_desk.h"

#include <limits>

#include "common/base/logging.h"
#include "common/ckpt/snapshot_manifest.h"
#include "common/ckpt/snapshot_retention.h"

namespace antiphon {

Status SnapshotDesk::CheckPolicy(const TrainingPlan& plan) const {
  const SnapshotPolicy& policy = plan.snapshot();
  const bool by_clock = policy.every_seconds() > 0 || policy.every_samples() > 0;
  if (by_clock && directory_.empty()) {
    return InvalidArgumentError(
        "the job's train_config.snapshot wants snapshots while it runs, and there is no folder for "
        "them; start the scheduler with --snapshot_dir");
  }
  return Status();
}

void SnapshotDesk::Recall(const SnapshotReply& committed, int64_t wall_seconds) {
  last_ = committed;
  last_seconds_ = wall_seconds;
  if (directory_.empty() || committed.directory() == SnapshotFolder(directory_, last_.version())) {
    own_folder_ = committed.directory();
    own_seconds_ = wall_seconds;
  }
}

int64_t SnapshotDesk::CutSeconds() const {
  if (own_folder_.empty()) {
    return 0;
  }
  const StatusOr<SnapshotManifest> manifest = ReadManifest(fs_, own_folder_);
  // Without it the end of the round must do: a few samples are forgotten, none is told twice.
  return manifest.ok() ? manifest->cut_ms() / 1000 : own_seconds_;
}

Status SnapshotDesk::Start(const std::string& directory, const LeaseBook& book) {
  return StartRound(directory.empty() ? directory_ : directory, book, nullptr);
}

Status SnapshotDesk::StartForMove(const LeaseBook& book) {
  return StartRound(directory_, book, schedule_.last());
}

Status SnapshotDesk::StartRound(const std::string& directory, const LeaseBook& book,
                                const SnapshotLink* predecessor) {
  AP_RETURN_IF_ERROR(round_.Start(directory, book, predecessor));
  round_directory_ = directory;
  schedule_.Began(clock_.Now(), book.samples_trained());
  return Status();
}

bool SnapshotDesk::Advance(const MetricsBoard& metrics, uint64_t cluster_id, const LeaseBook& book,
                           bool may_begin) {
  if (!begun_) {
    begun_ = true;
    policy_ = metrics.plan().snapshot();
    schedule_.Begin(policy_, clock_.Now(), book.samples_trained());
  }
  if (!round_.active()) {
    if (may_begin && !book.finished() && schedule_.Due(clock_.Now(), book.samples_trained())) {
      const Status status = StartRound(directory_, book, schedule_.predecessor());
      if (!status.ok()) {
        schedule_.Began(clock_.Now(), book.samples_trained());
        NoteFailure(status);
      }
    }
    return false;
  }
  if (!round_.Advance(metrics, cluster_id, book)) {
    return false;
  }
  EndRound();
  return true;
}

void SnapshotDesk::EndRound() {
  const StatusOr<SnapshotReply>& result = round_.result();
  if (!result.ok()) {
    NoteFailure(result.status());
    return;
  }
  if (directory_.empty() || round_directory_ == directory_) {
    sample_ages_.Commit();
  }
  Recall(*result, clock_.WallSeconds());
  failures_ = 0;
  LOG(INFO) << (last_.is_delta() ? "delta " : "snapshot ") << last_.directory() << ": "
            << last_.rows() << " rows, " << last_.bytes() << " bytes";
  if (round_directory_ == directory_) {
    schedule_.Committed(round_.link());
    RemoveOutdated();
  } else {
    schedule_.Failed();  // the lanes now count from a snapshot that lies elsewhere
  }
}

void SnapshotDesk::NoteFailure(const Status& why) {
  LOG(WARNING) << why;
  schedule_.Failed();
  failing_since_ = failures_ == 0 ? clock_.WallSeconds() : failing_since_;
  ++failures_;
  failure_ = why;
}

// A folder that cannot be removed costs room and nothing else: the next round tries again.
void SnapshotDesk::RemoveOutdated() {
  const bool keeps_all = policy_.every_seconds() == 0 && policy_.every_samples() == 0;
  const uint32_t keep = keeps_all ? std::numeric_limits<uint32_t>::max() : policy_.keep();
  const StatusOr<std::vector<FoundSnapshot>> found = ListSnapshots(fs_, directory_);
  if (!found.ok()) {
    LOG(WARNING) << "old snapshots are not removed: " << found.status();
    return;
  }
  for (const std::string& folder : OutdatedSnapshots(*found, keep, last_.version())) {
    const Status removed = RemoveSnapshot(fs_, folder);
    LOG_IF(WARNING, !removed.ok()) << removed;
  }
}

void SnapshotDesk::Describe(ClusterStatus* status) const {
  if (!last_.directory().empty()) {
    status->set_last_snapshot(last_.directory());
    status->set_last_snapshot_seconds(last_seconds_);
  }
  if (failures_ > 0) {
    status->set_snapshots_failed(failures_);
    status->set_snapshot_failure(std::string(failure_.message()));
    status->set_snapshots_fail_since_seconds(failing_since_);
  }
}

}  // namespace antiphon
