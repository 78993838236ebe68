// Sinks: where an exporter pushes its versions besides its directory, each on a thread of its own,
// and the file that says how far they are.
//
// Owned by one thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/file_system.h"
#include "common/base/status.h"
#include "serving/push/sink_board.h"
#include "serving/push/sink_thread.h"
#include "serving/version_sink.h"

namespace antiphon {

struct SinkOptions {
  std::string directory;  // of the versions; gets sinks.json
  std::string redis;      // serving/push/sink_address.h says how; empty: none
  std::string redis_password_env;
  std::string kafka;  // likewise
  std::vector<std::string> kafka_properties;
  SinkPace pace = SinkPace::kBeside;
};

class Sinks {
 public:
  // Connects to nothing yet. kInvalidArgument: an address or a property is wrong, or the password's
  // variable is not set. `fs` and `clock` outlive the sinks.
  static StatusOr<std::unique_ptr<Sinks>> Create(const SinkOptions& options, FileSystem& fs,
                                                 Clock& clock);

  std::vector<VersionSink*> all() const;

 private:
  Sinks(const SinkOptions& options, FileSystem& fs) : board_(fs, options.directory) {}

  SinkBoard board_;
  std::vector<std::unique_ptr<SinkThread>> threads_;  // last: they use the board
};

}  // namespace antiphon
