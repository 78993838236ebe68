// The manifest of a snapshot, and where snapshots lie:
//
//   DIR/snapshot-<version>/lane-<n>.aps   one file for each lane
//   DIR/snapshot-<version>/MANIFEST       written last: the folder is complete when it is there
//
// Stateless functions; any thread may call them. Errors name the file and what is wrong with it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/file_system.h"
#include "common/base/status.h"
#include "common/base/types.h"
#include "proto/snapshot.pb.h"

namespace antiphon {

inline constexpr uint32_t kSnapshotFormat = 1;

std::string SnapshotFolder(const std::string& directory, uint64_t version);
// The version in the name of such a folder; nothing for other names.
std::optional<uint64_t> VersionOfFolder(std::string_view name);
std::string ManifestPath(const std::string& folder);
std::string LaneFileName(LaneId lane);

// Commits the snapshot: every file it names is durable already. Fills in the format number. Returns
// the checksum of the manifest's file, by which a delta names its predecessor.
StatusOr<uint32_t> WriteManifest(FileSystem& fs, const std::string& folder,
                                 SnapshotManifest manifest);

// Checks the manifest itself: seal, format, kind, names of files without a path in them.
// kNotFound: the folder has none, so its snapshot was never completed. `crc32c`, where not null,
// becomes the checksum of the manifest's file. Who reads the files of a delta wants ReadChain
// (common/ckpt/snapshot_chain.h) instead.
StatusOr<SnapshotManifest> ReadManifest(FileSystem& fs, const std::string& folder,
                                        uint32_t* crc32c = nullptr);

// Reads every file of the snapshot to its end: there, of the right size, every checksum right.
Status VerifySnapshot(FileSystem& fs, const std::string& folder, const SnapshotManifest& manifest);

// The folder of the newest complete snapshot in `directory`, which may also be such a folder
// itself. Folders without a manifest are passed over; one with a damaged manifest is an error,
// because going back to an older snapshot is a decision for people. kNotFound: there is none.
StatusOr<std::string> FindNewestSnapshot(FileSystem& fs, const std::string& directory);

}  // namespace antiphon
