#include "common/base/logging.h"

namespace antiphon {

void InitLogging(const LoggingOptions& options) {
  FLAGS_logtostderr = options.log_dir.empty();
  FLAGS_log_dir = options.log_dir;
  FLAGS_minloglevel = options.min_severity;
  FLAGS_logbufsecs = 0;
  // glog keeps the pointer for the names of its files.
  static const std::string program = options.program;
  google::InitGoogleLogging(program.c_str());
}

void FlushLogging() {
  google::FlushLogFiles(google::INFO);
}

}  // namespace antiphon
