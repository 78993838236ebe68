// ps_ctl served: which version of a model servers score by, how old it is, and how long after its
// event a sample shows in their scores.
//
// It asks servers of scores (ps_score --http), or looks at directories of versions.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/file_system.h"
#include "common/base/status.h"
#include "tools/ctl/commands.h"

namespace antiphon {

struct ServedOptions {
  std::vector<std::string> servers;      // HOST:PORT each
  std::vector<std::string> directories;  // of versions
  OutputFormat format = OutputFormat::kText;
  Duration timeout = std::chrono::seconds(5);  // of one server
};

// One line of the page.
struct ServedLine {
  std::string where;  // the server or the directory
  std::string model = {};
  std::string version = {};
  std::string base = {};
  uint64_t sequence = 0;
  uint64_t rows = 0;  // of a directory those of the base
  double age_seconds = 0;
  // From a sample's event to when the version was served, or made current; NaN without samples.
  double freshness_p50_seconds = 0;
  double freshness_p99_seconds = 0;
  uint64_t failures = 0;   // of a server: to serve something newer
  std::string error = {};  // why there is nothing newer, or nothing at all; empty: all is well
  bool reached = true;
};

// From what GET /healthz answers. kDataLoss when it is not that.
StatusOr<ServedLine> LineOfHealth(const std::string& server, const std::string& health);

// Of a directory whose CURRENT was written at `current_ms`.
StatusOr<ServedLine> LineOfDirectory(FileSystem& fs, const std::string& directory,
                                     int64_t current_ms, int64_t now_ms);

void WriteServedPage(const std::vector<ServedLine>& lines, OutputFormat format, std::ostream& out);

// kHealthy; kDegraded when something is wrong with one of them; kUnreachable when none is there.
CtlExit ShowServed(const ServedOptions& options, FileSystem& fs, Clock& clock, std::ostream& out);

}  // namespace antiphon
