// SnapshotWatch: which complete snapshots a folder has by now. A manifest is read once: it never
// changes, and reading all of them every second would cost more than the rest.
//
// Owned by one thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/file_system.h"
#include "common/base/status.h"
#include "serving/export/publish_plan.h"

namespace antiphon {

class SnapshotWatch {
 public:
  // `fs` outlives the watch.
  SnapshotWatch(FileSystem& fs, std::string directory)
      : fs_(fs), directory_(std::move(directory)) {}

  // Ascending. A snapshot with a damaged manifest is left out, and said so once. kNotFound: there
  // is no such folder (yet).
  StatusOr<std::vector<CommittedSnapshot>> Look();

  // What was tried in vain, because of the snapshot's own files.
  void MarkFailedAsStep(uint64_t version) { failed_as_step_.insert(version); }
  void MarkFailedAsFull(uint64_t version) { failed_as_full_.insert(version); }

 private:
  // Nothing: it was complete a moment ago, and is being removed.
  StatusOr<std::optional<CommittedSnapshot>> Read(const std::string& folder) const;

  FileSystem& fs_;
  const std::string directory_;
  std::map<uint64_t, CommittedSnapshot> seen_;
  std::set<uint64_t> damaged_;
  std::set<uint64_t> failed_as_step_;
  std::set<uint64_t> failed_as_full_;
};

}  // namespace antiphon
