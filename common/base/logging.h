// The one door to glog: LOG, VLOG, CHECK and DCHECK come from here.
//
// A state change is logged once at INFO, a handled failure at WARNING, nothing per request.
// CHECK is for broken invariants of our own and never looks at bytes that came from outside.
#pragma once

#include <string>

#include <glog/logging.h>

namespace antiphon {

struct LoggingOptions {
  std::string program;   // argv[0]
  std::string log_dir;   // empty: standard error only
  int min_severity = 0;  // 0 INFO, 1 WARNING, 2 ERROR
};

// Called once by a main before any thread starts. Without it (in tests) glog writes to stderr.
void InitLogging(const LoggingOptions& options);

// Flushes what is buffered. Safe without InitLogging.
void FlushLogging();

}  // namespace antiphon
