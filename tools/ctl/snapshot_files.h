// The commands of ps_ctl that look at snapshots on a disk; no cluster need be there.
#pragma once

#include <ostream>
#include <string>

#include "common/base/file_system.h"
#include "common/base/status.h"
#include "tools/ctl/commands.h"

namespace antiphon {

struct SnapshotFilesContext {
  FileSystem& fs;
  Clock& clock;
  std::ostream& out;
  OutputFormat format = OutputFormat::kText;
};

// What lies in a folder of snapshots: versions, kinds, sizes, and attempts that were not completed.
StatusOr<CtlExit> ShowSnapshots(SnapshotFilesContext& context, const std::string& directory);

// Reads every byte of a snapshot with what it grows from, or of all snapshots of a folder. The
// error names the first fault: file, place, what was expected and what is there.
StatusOr<CtlExit> VerifySnapshots(SnapshotFilesContext& context, const std::string& directory);

}  // namespace antiphon
