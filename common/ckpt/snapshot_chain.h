// SnapshotChain: a snapshot with everything that it grows from: a full one and the deltas behind
// it.
//
// A delta names its predecessor by version and by the checksum of its manifest, so a link that is
// missing, swapped or damaged is noticed before anything is read from the files. Stateless
// functions; any thread may call them. Errors name the file and what is wrong with it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/file_system.h"
#include "common/base/status.h"
#include "proto/cluster.pb.h"
#include "proto/snapshot.pb.h"

namespace antiphon {

struct SnapshotLink {
  std::string folder;
  SnapshotManifest manifest;
  uint32_t manifest_crc32c = 0;
};

// The full snapshot first, then its deltas in order; never empty where one is returned. The last
// manifest says what the whole chain stands for: plan, progress, chunks and positions.
using SnapshotChain = std::vector<SnapshotLink>;

// At most this many deltas stand behind a full snapshot.
inline constexpr size_t kMaxDeltas = 1000;

// The chain that ends with the snapshot in `last_folder`; the others lie beside it. kNotFound: the
// folder has no manifest. kDataLoss: a link is missing, or is not the one that the delta was made
// from.
StatusOr<SnapshotChain> ReadChain(FileSystem& fs, const std::string& last_folder);

// ReadChain for what FindNewestSnapshot finds: the last committed snapshot of a folder.
StatusOr<SnapshotChain> FindNewestChain(FileSystem& fs, const std::string& directory);

// Reads every file of every link to its end.
Status VerifyChain(FileSystem& fs, const SnapshotChain& chain);

// What a lane is told to read. The caller decides about positions.
RestoreRequest MakeRestoreRequest(const SnapshotChain& chain);

}  // namespace antiphon
