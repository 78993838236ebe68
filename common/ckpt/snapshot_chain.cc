#include "common/ckpt/snapshot_chain.h"

#include <algorithm>
#include <utility>

#include "common/ckpt/snapshot_manifest.h"

namespace antiphon {

namespace {

StatusOr<SnapshotLink> ReadLink(FileSystem& fs, const std::string& folder) {
  SnapshotLink link;
  link.folder = folder;
  AP_ASSIGN_OR_RETURN(link.manifest, ReadManifest(fs, folder, &link.manifest_crc32c));
  return link;
}

std::string WithoutTrailingSlash(const std::string& folder) {
  const size_t last = folder.find_last_not_of('/');
  return last == std::string::npos ? folder : folder.substr(0, last + 1);
}

std::string FolderAbove(const std::string& folder) {
  const size_t slash = folder.find_last_of('/');
  return slash == std::string::npos ? "." : folder.substr(0, slash);
}

// `before` was found where the delta says that its predecessor is.
Status CheckFollows(const SnapshotLink& delta, const SnapshotLink& before) {
  const SnapshotManifest& manifest = delta.manifest;
  const std::string what =
      delta.folder + " is a delta of snapshot " + std::to_string(manifest.predecessor_version());
  if (before.manifest.version() != manifest.predecessor_version()) {
    return DataLossError(what + ", but " + before.folder + " says that it is version " +
                         std::to_string(before.manifest.version()));
  }
  if (before.manifest_crc32c != manifest.predecessor_crc32c()) {
    return DataLossError(
        what + ", but " + before.folder +
        " is not the one that it was made from: the checksum of its manifest differs");
  }
  const bool is_full = before.manifest.kind() == SnapshotManifest::FULL;
  const uint64_t base = is_full ? before.manifest.version() : before.manifest.base_version();
  if (base != manifest.base_version()) {
    return DataLossError(what + " on top of " + std::to_string(manifest.base_version()) +
                         ", which leads to " + std::to_string(base));
  }
  return Status();
}

}  // namespace

StatusOr<SnapshotChain> ReadChain(FileSystem& fs, const std::string& last_folder) {
  const std::string folder = WithoutTrailingSlash(last_folder);
  SnapshotChain chain;
  AP_ASSIGN_OR_RETURN(SnapshotLink link, ReadLink(fs, folder));
  chain.push_back(std::move(link));
  while (chain.back().manifest.kind() == SnapshotManifest::DELTA) {
    const SnapshotLink& delta = chain.back();
    if (chain.size() > kMaxDeltas) {
      return DataLossError(folder + ": more than " + std::to_string(kMaxDeltas) +
                           " deltas behind a full snapshot");
    }
    const std::string before =
        SnapshotFolder(FolderAbove(folder), delta.manifest.predecessor_version());
    StatusOr<SnapshotLink> found = ReadLink(fs, before);
    if (found.status().code() == StatusCode::kNotFound) {
      return DataLossError(delta.folder + " is a delta of " + before + ", which is not there");
    }
    AP_RETURN_IF_ERROR(found.status());
    AP_RETURN_IF_ERROR(CheckFollows(delta, *found));
    chain.push_back(std::move(*found));
  }
  std::ranges::reverse(chain);
  return chain;
}

StatusOr<SnapshotChain> FindNewestChain(FileSystem& fs, const std::string& directory) {
  AP_ASSIGN_OR_RETURN(const std::string folder, FindNewestSnapshot(fs, directory));
  return ReadChain(fs, folder);
}

Status VerifyChain(FileSystem& fs, const SnapshotChain& chain) {
  for (const SnapshotLink& link : chain) {
    AP_RETURN_IF_ERROR(VerifySnapshot(fs, link.folder, link.manifest));
  }
  return Status();
}

RestoreRequest MakeRestoreRequest(const SnapshotChain& chain) {
  RestoreRequest request;
  request.set_directory(chain.front().folder);
  *request.mutable_files() = chain.front().manifest.files();
  request.set_version(chain.back().manifest.version());
  for (size_t i = 1; i < chain.size(); ++i) {
    RestoreDelta& delta = *request.add_deltas();
    delta.set_directory(chain[i].folder);
    *delta.mutable_files() = chain[i].manifest.files();
  }
  return request;
}

}  // namespace antiphon
