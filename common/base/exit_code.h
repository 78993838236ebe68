// Exit codes of our programs, those of sysexits.h. Any thread may call.
#pragma once

#include "common/base/status.h"

namespace antiphon {

enum class ExitCode : int {
  kOk = 0,
  kUsage = 64,         // a flag or an argument is wrong
  kBadData = 65,       // samples, a snapshot or a peer's bytes cannot be used
  kUnavailable = 69,   // a process that we need is gone or silent
  kBug = 70,           // ours
  kCannotCreate = 73,  // an address, a file or a folder
  kIo = 74,            // the disk failed or is full
  kPermission = 77,
  kConfig = 78,  // each part is right, but not together
};

// The code for a status that ended a program. A main that knows better, such as that a kUnavailable
// came from the disk, says so itself.
ExitCode ExitCodeFor(const Status& status);

}  // namespace antiphon
