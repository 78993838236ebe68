// ReceivedFolder: the directory of versions of a host that gets them from a log; what an exporter's
// own directory is (serving/version_directory.h), one version after the other.
//
// Owned by one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "common/base/file_system.h"
#include "common/base/status.h"
#include "serving/push/version_position.h"
#include "serving/push/version_receiver.h"

namespace antiphon {

class ReceivedFolder {
 public:
  // Makes the directory, or goes on with what CURRENT of it names. `fs` outlives the object.
  static StatusOr<std::unique_ptr<ReceivedFolder>> Open(FileSystem& fs,
                                                        const std::string& directory);

  // What CURRENT names.
  const std::optional<VersionPosition>& served() const { return served_; }

  // Writes the version, and then CURRENT. Versions from before the chain before the one that is
  // served go.
  Status Install(const ReceivedVersion& version);

  // The place in the log named `log` to go on from: all before it is installed, or no longer
  // wanted. Nothing: unknown, read from the beginning.
  std::optional<int64_t> ReadPlace(const std::string& log) const;
  Status WritePlace(const std::string& log, int64_t offset);

 private:
  ReceivedFolder(FileSystem& fs, std::string directory)
      : fs_(fs), directory_(std::move(directory)) {}

  Status WriteVersion(const ReceivedVersion& version, const std::string& folder);
  Status RemoveBefore(uint64_t version);

  FileSystem& fs_;
  const std::string directory_;
  std::optional<VersionPosition> served_;
  uint64_t base_ = 0;  // of the chain that is served
};

}  // namespace antiphon
