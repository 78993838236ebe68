#include "serving/export/snapshot_watch.h"

#include <utility>

#include "common/base/logging.h"
#include "common/ckpt/snapshot_manifest.h"
#include "common/data/job_text.h"
#include "serving/feature_description.h"

namespace antiphon {
namespace {

std::string ShapesOf(const ParameterSchema& schema) {
  Signature shapes;
  for (const TableSpec& spec : schema.tables()) {
    ServedTable& table = *shapes.add_tables();
    table.set_name(spec.name());
    table.set_dim(spec.dim());
  }
  return TableShapes(shapes);
}

}  // namespace

StatusOr<std::optional<CommittedSnapshot>> SnapshotWatch::Read(const std::string& folder) const {
  CommittedSnapshot snapshot;
  const StatusOr<SnapshotManifest> manifest = ReadManifest(fs_, folder, &snapshot.manifest_crc32c);
  if (manifest.status().code() == StatusCode::kNotFound) {
    return std::optional<CommittedSnapshot>();
  }
  AP_RETURN_IF_ERROR(manifest.status());
  AP_ASSIGN_OR_RETURN(const ParsedJob parsed,
                      ParseJobText(folder + ", the job in it", manifest->plan().job()));
  AP_ASSIGN_OR_RETURN(const std::vector<ServedFeature> features,
                      DescribeFeatures(parsed.job, manifest->plan()));
  snapshot.folder = folder;
  snapshot.version = manifest->version();
  snapshot.is_delta = manifest->kind() == SnapshotManifest::DELTA;
  snapshot.predecessor_version = manifest->predecessor_version();
  snapshot.predecessor_crc32c = manifest->predecessor_crc32c();
  snapshot.is_promoted = manifest->promoted();
  snapshot.model_name = parsed.job.name();
  snapshot.model_id = HexDigits(manifest->cluster_id());
  snapshot.tables = ShapesOf(manifest->plan().schema());
  snapshot.transform_digest = TransformDigest(features);
  return std::optional<CommittedSnapshot>(std::move(snapshot));
}

StatusOr<std::vector<CommittedSnapshot>> SnapshotWatch::Look() {
  if (!fs_.IsDirectory(directory_)) {
    return NotFoundError(directory_ + " is not there yet");
  }
  AP_ASSIGN_OR_RETURN(const std::vector<std::string> names, fs_.List(directory_));
  std::map<uint64_t, CommittedSnapshot> now;
  for (const std::string& name : names) {
    const std::optional<uint64_t> version = VersionOfFolder(name);
    const std::string folder = directory_ + "/" + name;
    if (!version.has_value() || damaged_.contains(*version) || !fs_.Exists(ManifestPath(folder))) {
      continue;
    }
    if (const auto known = seen_.find(*version); known != seen_.end()) {
      now.insert(std::move(*known));
      continue;
    }
    StatusOr<std::optional<CommittedSnapshot>> found = Read(folder);
    if (found.status().code() == StatusCode::kUnavailable) {
      return found.status();  // the disk, at this moment
    }
    if (!found.ok()) {
      LOG(WARNING) << "passed over: " << found.status();
      damaged_.insert(*version);
    } else if (found->has_value()) {
      now.emplace(*version, **std::move(found));
    }
  }
  seen_ = std::move(now);
  std::vector<CommittedSnapshot> snapshots;
  for (auto& [version, snapshot] : seen_) {
    snapshot.failed_as_step = failed_as_step_.contains(version);
    snapshot.failed_as_full = failed_as_full_.contains(version);
    snapshots.push_back(snapshot);
  }
  return snapshots;
}

}  // namespace antiphon
