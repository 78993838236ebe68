// Follower: publishes what a job commits, until it is told to end.
//
// Run belongs to one thread; any thread may call Stop.
#pragma once

#include <chrono>
#include <ostream>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/file_system.h"
#include "common/base/mutex.h"
#include "common/base/status.h"
#include "serving/export/publisher.h"
#include "serving/version_sink.h"

namespace antiphon {

struct FollowOptions {
  PublisherOptions publisher;
  std::chrono::milliseconds poll = std::chrono::seconds(1);
  // Publishes what is there, brings the sinks along and ends.
  bool once = false;
};

class Follower {
 public:
  // A line for each version goes to `out`. All of them outlive the follower.
  Follower(const FollowOptions& options, FileSystem& fs, Clock& clock, std::ostream& out)
      : options_(options), fs_(fs), clock_(clock), out_(out) {}

  // Returns after Stop, at the end with `once`, or when another process publishes to the same
  // directory or people have to decide. What may pass (no room, a sink that is away, no snapshots
  // yet) is logged when it begins and tried again with the next look.
  Status Run(const std::vector<VersionSink*>& sinks) AP_EXCLUDES(mu_);

  // Ends Run between two versions.
  void Stop() AP_EXCLUDES(mu_);

 private:
  // Publishes versions until there is none newer, and brings the sinks along after each. What is
  // wrong with a sink keeps none of the others and no version back.
  Status PublishAll(Publisher& publisher) AP_EXCLUDES(mu_);
  // Logs a failure that is not the one logged last.
  void Report(const Status& status);
  bool stopped() AP_EXCLUDES(mu_);
  void WaitForPoll() AP_EXCLUDES(mu_);

  const FollowOptions options_;
  FileSystem& fs_;
  Clock& clock_;
  std::ostream& out_;
  // Of Run's thread.
  Status sinks_;          // how they fared last
  std::string reported_;  // the last failure that was logged

  Mutex mu_;
  CondVar changed_;
  bool stop_ AP_GUARDED_BY(mu_) = false;
};

}  // namespace antiphon
