// Publisher: keeps a directory of versions (serving/version_directory.h) as new as a folder of
// snapshots, and the sinks as new as the directory.
//
// A delta becomes a step; where the steps do not reach, a version with all rows is made of the
// newest snapshot. Whatever it dies of, CURRENT names a version that is whole with all that it
// grows from, and the next publisher goes on from there. It reads no clock and waits for nothing:
// Follower does. Owned by one thread. There is one publisher a directory.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/file_system.h"
#include "common/base/status.h"
#include "scoring/frozen_model.h"
#include "serving/export/publish_plan.h"
#include "serving/export/snapshot_watch.h"
#include "serving/version_chain.h"
#include "serving/version_sink.h"

namespace antiphon {

struct PublisherOptions {
  std::string snapshots;  // the folder of them
  std::string out;        // the directory of versions
  PublishRules rules;
  uint32_t keep = 2;  // chains of versions
};

class Publisher {
 public:
  // Makes the directory if need be, removes what a publisher that died left, and goes on from
  // CURRENT. `fs` and the sinks outlive the publisher.
  static StatusOr<std::unique_ptr<Publisher>> Open(const PublisherOptions& options, FileSystem& fs,
                                                   const std::vector<VersionSink*>& sinks);

  // Publishes the next version, if something newer is there: what it says of itself. A snapshot
  // that cannot be read, or that the job removes while it is read, is passed over, which a warning
  // says. After an error nothing has changed but files that the next call replaces; it may be
  // called again. kNotFound: there is no folder of snapshots (yet).
  StatusOr<std::optional<Signature>> PublishNext();

  // Brings every sink to what is current. The first error, after all of them were asked.
  Status CatchUpSinks();

  // What is current with all that it grows from; empty before the first version.
  const VersionChain& current() const { return current_; }

 private:
  // A sink, and the digest of the version that it came to last.
  struct Sink {
    VersionSink* sink = nullptr;
    std::string digest;
  };

  Publisher(const PublisherOptions& options, FileSystem& fs)
      : options_(options), fs_(fs), watch_(fs, options.snapshots) {}

  Status Begin();
  Status Publish(const Publication& next, const CommittedSnapshot& snapshot);
  // What was written last becomes current, and what nobody needs goes.
  Status MakeCurrent();
  StatusOr<std::unique_ptr<FrozenModel>> Load(const Publication& next,
                                              const CommittedSnapshot& snapshot);
  // Writes the folder of a version. Leaves none behind where that fails.
  StatusOr<VersionLink> Write(const Publication& next, const FrozenModel& model);
  // Takes away a folder of that name which no chain needs.
  Status MakeRoom(const std::string& folder, const FrozenModel& model);
  Status RemoveOutdated();
  // Whether the snapshot's own files are at fault: another one may do.
  bool MarkFailed(const Publication& next, const Status& load, const Status& write);

  const PublisherOptions options_;
  FileSystem& fs_;
  SnapshotWatch watch_;
  std::vector<Sink> sinks_;
  VersionChain current_;
  // What was written last: it begins with current_, or with steps on the way to what may be served.
  VersionChain last_;
  bool owes_current_ = false;  // the end of last_ is to become current, and has not yet
};

}  // namespace antiphon
