// Which versions of a directory are kept, and how the others go.
//
// Versions belong to the one with all rows that they grow from, so whole chains are kept or
// removed. A folder loses its signature first and its files then: at no moment does it look whole
// and is not. Stateless functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/file_system.h"
#include "common/base/status.h"

namespace antiphon {

// A folder version-<n> of a directory.
struct FoundVersion {
  uint64_t version = 0;
  std::string folder;
  bool is_whole = false;  // it has a signature
  uint64_t base = 0;      // of the one with all rows; its own when it has all
};

// All of a directory, by version. A signature that cannot be read is an error: nobody may guess
// what needs it.
StatusOr<std::vector<FoundVersion>> ListVersions(FileSystem& fs, const std::string& directory);

// The folders to remove so that the last `keep` chains stay, steps before what they grow from. The
// chain of version `current` always stays; `keep` 0 counts as 1.
std::vector<std::string> OutdatedVersions(const std::vector<FoundVersion>& found, uint32_t keep,
                                          uint64_t current);

// Removes a version's folder with all that is in it.
Status RemoveVersion(FileSystem& fs, const std::string& folder);

// Removes what an exporter that died has left behind: half-written and half-removed versions, and
// versions newer than `current`, which nobody was ever told of.
Status RemoveLeftovers(FileSystem& fs, const std::string& directory, uint64_t current);

}  // namespace antiphon
