// EventLog: the seam between a platform and where its events go: the log of one partition.
//
// Owned by one thread.
#pragma once

#include <string_view>

#include "common/base/status.h"

namespace antiphon {

class EventLog {
 public:
  virtual ~EventLog() = default;

  // One more line, with its end, behind the others.
  virtual Status Append(std::string_view line) = 0;
  // All that was appended is where readers find it. Nothing happens without lines.
  virtual Status Commit() = 0;
  // Commits, and says that nothing will follow.
  virtual Status End() = 0;
};

}  // namespace antiphon
