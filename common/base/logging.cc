#include "common/base/logging.h"

namespace antiphon {

void InitLogging(const LoggingOptions& options) {
  FLAGS_logtostderr = options.log_dir.empty();
  FLAGS_log_dir = options.log_dir;
  FLAGS_minloglevel = options.min_severity;
  FLAGS_logbufsecs = 0;
  google::InitGoogleLogging(options.program.c_str());
}

void FlushLogging() {
  google::FlushLogFiles(google::INFO);
}

}  // namespace antiphon
