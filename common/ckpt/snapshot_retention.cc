#include "common/ckpt/snapshot_retention.h"

#include <algorithm>
#include <set>

#include "common/ckpt/snapshot_manifest.h"

namespace antiphon {

StatusOr<std::vector<FoundSnapshot>> ListSnapshots(FileSystem& fs, const std::string& directory) {
  std::vector<FoundSnapshot> found;
  AP_ASSIGN_OR_RETURN(const std::vector<std::string> names, fs.List(directory));
  for (const std::string& name : names) {
    const std::optional<uint64_t> version = VersionOfFolder(name);
    if (!version.has_value()) {
      continue;
    }
    FoundSnapshot& snapshot = found.emplace_back();
    snapshot.version = *version;
    snapshot.folder = directory + "/" + name;
    snapshot.is_complete = fs.Exists(ManifestPath(snapshot.folder));
    if (snapshot.is_complete) {
      AP_ASSIGN_OR_RETURN(const SnapshotManifest manifest, ReadManifest(fs, snapshot.folder));
      snapshot.base_version =
          manifest.kind() == SnapshotManifest::DELTA ? manifest.base_version() : *version;
    }
  }
  std::ranges::sort(found, {}, &FoundSnapshot::version);
  return found;
}

std::vector<std::string> OutdatedSnapshots(const std::vector<FoundSnapshot>& found, uint32_t keep,
                                           uint64_t below) {
  std::set<uint64_t> kept;  // bases
  std::vector<std::string> outdated;
  for (auto snapshot = found.rbegin(); snapshot != found.rend(); ++snapshot) {
    if (!snapshot->is_complete) {
      if (snapshot->version < below) {
        outdated.push_back(snapshot->folder);
      }
    } else if (kept.contains(snapshot->base_version) || kept.size() < std::max(keep, 1U)) {
      kept.insert(snapshot->base_version);
    } else {
      outdated.push_back(snapshot->folder);
    }
  }
  return outdated;
}

Status RemoveSnapshot(FileSystem& fs, const std::string& folder) {
  if (fs.Exists(ManifestPath(folder))) {
    AP_RETURN_IF_ERROR(fs.Remove(ManifestPath(folder)));
    AP_RETURN_IF_ERROR(fs.SyncDirectory(folder));
  }
  AP_ASSIGN_OR_RETURN(const std::vector<std::string> names, fs.List(folder));
  for (const std::string& name : names) {
    AP_RETURN_IF_ERROR(fs.Remove(folder + "/" + name));
  }
  return fs.Remove(folder);
}

}  // namespace antiphon
