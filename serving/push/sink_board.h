// SinkBoard: how far each sink has come, and a file that says so.
//
// Guarded: each sink's thread writes its line. The file is replaced as a whole.
#pragma once

#include <string>

#include "common/base/file_system.h"
#include "common/base/mutex.h"
#include "proto/push.pb.h"

namespace antiphon {

inline constexpr char kSinksFile[] = "sinks.json";

class SinkBoard {
 public:
  // The file is `directory`/sinks.json.
  SinkBoard(FileSystem& fs, const std::string& directory)
      : fs_(fs), path_(directory + "/" + kSinksFile) {}

  // Takes the place of what was said of the sink of this name. A file that cannot be written is
  // said in the log: the sinks go on.
  void Post(const SinkState& state) AP_EXCLUDES(mu_);

  SinkReport report() const AP_EXCLUDES(mu_);

 private:
  FileSystem& fs_;
  const std::string path_;
  mutable Mutex mu_;
  SinkReport report_ AP_GUARDED_BY(mu_);
};

// For people, on one line: "at version 12, 2 behind: connection refused".
std::string SinkSummary(const SinkState& state);

}  // namespace antiphon
