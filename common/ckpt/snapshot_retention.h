// Which snapshots of a folder are kept, and how the others go.
//
// Snapshots belong to the full one that they grow from, so whole chains are kept or removed. A
// folder loses its manifest first and its files then: at no moment is there a manifest whose files
// are gone. Stateless functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/file_system.h"
#include "common/base/status.h"
#include "common/base/types.h"

namespace antiphon {

// A folder snapshot-<version> of a directory.
struct FoundSnapshot {
  uint64_t version = 0;
  std::string folder;
  bool is_complete = false;   // it has a manifest
  uint64_t base_version = 0;  // of the full one that it grows from; its own when it is full
};

// All of a directory, by version. A manifest that cannot be read is an error: nobody may guess what
// needs it.
StatusOr<std::vector<FoundSnapshot>> ListSnapshots(FileSystem& fs, const std::string& directory);

// The folders to remove so that the last `keep` chains stay: those of older chains, deltas before
// what they grow from, and folders without a manifest whose version is below `below`. The newest
// complete snapshot and its chain always stay; `keep` 0 counts as 1.
std::vector<std::string> OutdatedSnapshots(const std::vector<FoundSnapshot>& found, uint32_t keep,
                                           uint64_t below);

// Removes a snapshot's folder with the files in it.
Status RemoveSnapshot(FileSystem& fs, const std::string& folder);

}  // namespace antiphon
