#include "scheduler/snapshot_round.h"

#include <algorithm>
#include <chrono>

#include "common/ckpt/snapshot_manifest.h"
#include "scheduler/drift_check.h"

namespace antiphon {
namespace {

constexpr CallOptions kWriteOptions = {.deadline = std::chrono::hours(1),
                                       .retry_after = std::chrono::seconds(10)};

// Whether what was learnt lately is good enough for the job's own conditions, if it has any.
void Judge(const MetricsBoard& metrics, SnapshotManifest& manifest) {
  if (metrics.plan().promotion_size() == 0) {
    return;
  }
  const std::vector<std::string> not_met =
      CheckPromotion(metrics.plan(), metrics.windows()->Fading());
  manifest.set_promoted(not_met.empty());
  manifest.mutable_not_met()->Assign(not_met.begin(), not_met.end());
}

}  // namespace

// One more than the highest number that any folder of the directory has, complete or not: a folder
// that a failed round left behind is not written into again.
StatusOr<uint64_t> SnapshotRound::NextVersion(const std::string& directory) {
  AP_ASSIGN_OR_RETURN(const std::vector<std::string> names, fs_.List(directory));
  uint64_t highest = 0;
  for (const std::string& name : names) {
    highest = std::max(highest, VersionOfFolder(name).value_or(0));
  }
  return highest + 1;
}

Status SnapshotRound::Start(const std::string& directory, const LeaseBook& book,
                            const SnapshotLink* predecessor) {
  if (active()) {
    return FailedPreconditionError("a snapshot is being written to " + folder_ +
                                   "; ask again when it is done");
  }
  AP_RETURN_IF_ERROR(fs_.MakeDirectories(directory));
  AP_ASSIGN_OR_RETURN(version_, NextVersion(directory));
  folder_ = SnapshotFolder(directory, version_);
  AP_RETURN_IF_ERROR(fs_.MakeDirectories(folder_));
  AP_RETURN_IF_ERROR(fs_.SyncDirectory(directory));
  before_ = book.entries();
  cut_ms_ = clock_.WallMs();
  ages_ = sample_ages_.Cut(clock_.Now());
  aborted_ = Status();
  round_ = std::make_unique<LaneRound>(lanes_, kWriteOptions);
  WriteSnapshotRequest request;
  request.set_directory(folder_);
  request.set_version(version_);
  predecessor_.reset();
  if (predecessor != nullptr) {
    predecessor_ = *predecessor;
    request.set_delta_since(predecessor->manifest.version());
  }
  asked_.clear();
  for (LaneId lane = 0; lane < lanes_.size(); ++lane) {
    if (lanes_.HasShards(lane)) {
      asked_.push_back(lane);
      round_->Ask(lane, METHOD_WRITE_SNAPSHOT, request);
    }
  }
  return Status();
}

void SnapshotRound::Abort(const Status& why) {
  if (active()) {
    aborted_ = why;
  }
}

bool SnapshotRound::Advance(const MetricsBoard& metrics, uint64_t cluster_id,
                            const LeaseBook& book) {
  if (!active() || (aborted_.ok() && !round_->over())) {
    return false;
  }
  const Status failure = aborted_.ok() ? round_->status() : aborted_;
  result_ = failure.ok() ? Commit(metrics, cluster_id, book) : StatusOr<SnapshotReply>(failure);
  if (!result_.ok()) {
    result_ = result_.status().WithContext("snapshot " + folder_ + " was not completed");
  }
  round_.reset();
  return true;
}

StatusOr<SnapshotReply> SnapshotRound::Commit(const MetricsBoard& metrics, uint64_t cluster_id,
                                              const LeaseBook& book) {
  SnapshotManifest manifest;
  manifest.set_kind(predecessor_.has_value() ? SnapshotManifest::DELTA : SnapshotManifest::FULL);
  if (predecessor_.has_value()) {
    const SnapshotManifest& before = predecessor_->manifest;
    manifest.set_base_version(before.kind() == SnapshotManifest::DELTA ? before.base_version()
                                                                       : before.version());
    manifest.set_predecessor_version(before.version());
    manifest.set_predecessor_crc32c(predecessor_->manifest_crc32c);
  }
  manifest.set_version(version_);
  manifest.set_cluster_id(cluster_id);
  manifest.set_created_seconds(clock_.WallSeconds());
  manifest.set_cut_ms(cut_ms_);
  if (ages_.count() > 0) {
    ages_.ToProto(*manifest.mutable_sample_ages());
  }
  *manifest.mutable_plan() = metrics.plan();
  Judge(metrics, manifest);
  SnapshotReply reply;
  reply.set_directory(folder_);
  reply.set_version(version_);
  reply.set_is_delta(predecessor_.has_value());
  for (const LaneId lane : asked_) {
    WriteSnapshotReply written;
    AP_RETURN_IF_ERROR(round_->Read(lane, written));
    reply.set_rows(reply.rows() + written.file().rows());
    reply.set_bytes(reply.bytes() + written.file().bytes());
    *manifest.add_files() = written.file();
  }
  // Epochs as of now: a lane's file may hold one that was given out while it wrote.
  for (PartitionProgress& item : book.Progress()) {
    const LeaseBook::Entry& before = before_[item.partition()];
    item.set_done(before.done);
    item.set_position(before.position);
    if (before.open_ended) {
      item.set_records(before.records);
    }
    *manifest.add_progress() = std::move(item);
  }
  AP_ASSIGN_OR_RETURN(const uint32_t crc32c, WriteManifest(fs_, folder_, manifest));
  link_ = {.folder = folder_, .manifest = std::move(manifest), .manifest_crc32c = crc32c};
  return reply;
}

}  // namespace antiphon
