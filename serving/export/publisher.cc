#include "serving/export/publisher.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "common/base/logging.h"
#include "common/ckpt/snapshot_manifest.h"
#include "serving/export/exporter.h"
#include "serving/export/version_retention.h"
#include "serving/signature.h"
#include "serving/version_directory.h"

namespace antiphon {
namespace {

bool IsOfTheFiles(const Status& status) {
  return status.code() == StatusCode::kDataLoss || status.code() == StatusCode::kNotFound ||
         status.code() == StatusCode::kUnimplemented;
}

}  // namespace

StatusOr<std::unique_ptr<Publisher>> Publisher::Open(const PublisherOptions& options,
                                                     FileSystem& fs,
                                                     const std::vector<VersionSink*>& sinks) {
  if (fs.Exists(ManifestPath(options.snapshots))) {
    return InvalidArgumentError(options.snapshots +
                                " is one snapshot; to follow a job takes the folder of them");
  }
  std::unique_ptr<Publisher> publisher(new Publisher(options, fs));
  for (VersionSink* sink : sinks) {
    publisher->sinks_.push_back({.sink = sink, .digest = ""});
  }
  AP_RETURN_IF_ERROR(publisher->Begin());
  return publisher;
}

Status Publisher::Begin() {
  AP_RETURN_IF_ERROR(fs_.MakeDirectories(options_.out));
  uint64_t current = std::numeric_limits<uint64_t>::max();
  const StatusOr<std::string> name = ReadCurrent(fs_, options_.out);
  if (name.ok()) {
    current = VersionOfFolderName(*name).value_or(current);
    StatusOr<VersionChain> chain = ReadVersionChain(fs_, options_.out + "/" + *name);
    if (chain.ok()) {
      current_ = *chain;
      last_ = *std::move(chain);
    } else {
      LOG(WARNING) << "what " << options_.out << "/" << kCurrentFile
                   << " names is damaged, a version with all rows will follow: " << chain.status();
    }
  } else if (name.status().code() != StatusCode::kNotFound) {
    return name.status();
  }
  return RemoveLeftovers(fs_, options_.out, current);
}

StatusOr<std::optional<Signature>> Publisher::PublishNext() {
  while (!owes_current_) {
    AP_ASSIGN_OR_RETURN(const std::vector<CommittedSnapshot> snapshots, watch_.Look());
    const Signature* last = last_.empty() ? nullptr : &last_.back().signature;
    AP_ASSIGN_OR_RETURN(const Publication next, PlanPublication(snapshots, last, options_.rules));
    if (next.kind == Publication::Kind::kNothing) {
      return std::optional<Signature>();
    }
    AP_RETURN_IF_ERROR(
        Publish(next, *std::ranges::find(snapshots, next.version, &CommittedSnapshot::version)));
  }
  AP_RETURN_IF_ERROR(MakeCurrent());
  return std::optional<Signature>(current_.back().signature);
}

Status Publisher::Publish(const Publication& next, const CommittedSnapshot& snapshot) {
  const StatusOr<std::unique_ptr<FrozenModel>> model = Load(next, snapshot);
  StatusOr<VersionLink> written = model.ok() ? Write(next, **model) : model.status();
  if (!written.ok()) {
    Status status = written.status().WithContext("snapshot " + std::to_string(next.version) +
                                                 " was not published");
    if (!MarkFailed(next, model.status(), written.status())) {
      return status;
    }
    LOG(WARNING) << status << "; what else there is will do";
    return Status();
  }
  if (next.kind == Publication::Kind::kFull) {
    LOG(INFO) << "version " << next.version << " has all rows: " << next.why_full;
    last_.clear();
  }
  last_.push_back(*std::move(written));
  owes_current_ = next.becomes_current;
  return Status();
}

Status Publisher::MakeCurrent() {
  AP_RETURN_IF_ERROR(WriteCurrent(fs_, options_.out, last_.back().signature.version()));
  owes_current_ = false;
  current_ = last_;
  const Status removed = RemoveOutdated();
  if (!removed.ok()) {  // the next version tries again
    LOG(WARNING) << "old versions were not removed: " << removed;
  }
  return Status();
}

StatusOr<std::unique_ptr<FrozenModel>> Publisher::Load(const Publication& next,
                                                       const CommittedSnapshot& snapshot) {
  if (next.kind == Publication::Kind::kFull) {
    return FrozenModel::Load(fs_, snapshot.folder);
  }
  SnapshotLink delta = {.folder = snapshot.folder, .manifest = {}, .manifest_crc32c = 0};
  AP_ASSIGN_OR_RETURN(delta.manifest, ReadManifest(fs_, snapshot.folder, &delta.manifest_crc32c));
  if (delta.manifest_crc32c != snapshot.manifest_crc32c) {
    return DataLossError(snapshot.folder + " became another snapshot in the meantime");
  }
  return FrozenModel::LoadDelta(fs_, delta);
}

StatusOr<VersionLink> Publisher::Write(const Publication& next, const FrozenModel& model) {
  const std::string folder = options_.out + "/" + VersionFolderName(next.version);
  AP_RETURN_IF_ERROR(MakeRoom(folder, model));
  const bool is_step = next.kind == Publication::Kind::kStep;
  const Status status = ExportModel(fs_, model,
                                    {.out = folder,
                                     .precision = options_.rules.precision,
                                     .min_score = options_.rules.min_score,
                                     .predecessor = is_step ? &last_.back() : nullptr})
                            .status();
  if (!status.ok()) {
    if (fs_.Exists(folder + ".tmp")) {
      RemoveFolder(fs_, folder + ".tmp").IgnoreError();  // the next attempt would, too
    }
    return status;
  }
  return ReadVersionLink(fs_, folder);
}

Status Publisher::MakeRoom(const std::string& folder, const FrozenModel& model) {
  if (!fs_.Exists(folder)) {
    return Status();
  }
  const StatusOr<VersionLink> there = ReadVersionLink(fs_, folder);
  if (there.ok() && there->signature.model_name() != model.job().name()) {
    return AlreadyExistsError(folder + " is a version of \"" + there->signature.model_name() +
                              "\", the snapshots are of \"" + model.job().name() +
                              "\": publish them to a folder of its own");
  }
  return RemoveVersion(fs_, folder);
}

bool Publisher::MarkFailed(const Publication& next, const Status& load, const Status& write) {
  // Weights that are no numbers are noticed when they are written.
  if (!IsOfTheFiles(load) && (!load.ok() || write.code() != StatusCode::kDataLoss)) {
    return false;
  }
  if (next.kind == Publication::Kind::kStep) {
    watch_.MarkFailedAsStep(next.version);
  } else {
    watch_.MarkFailedAsFull(next.version);
  }
  return true;
}

Status Publisher::RemoveOutdated() {
  AP_ASSIGN_OR_RETURN(const std::vector<FoundVersion> found, ListVersions(fs_, options_.out));
  for (const std::string& folder :
       OutdatedVersions(found, options_.keep, current_.back().signature.version())) {
    AP_RETURN_IF_ERROR(RemoveVersion(fs_, folder));
  }
  return Status();
}

Status Publisher::CatchUpSinks() {
  Status first;
  for (Sink& sink : sinks_) {
    if (current_.empty() || sink.digest == current_.back().digest) {
      continue;
    }
    const Status status = sink.sink->CatchUp(current_).WithContext(sink.sink->name());
    if (status.ok()) {
      sink.digest = current_.back().digest;
    } else if (first.ok()) {
      first = status;
    }
  }
  return first;
}

}  // namespace antiphon
