#include "serving/export/follower.h"

#include <memory>
#include <optional>

#include "common/base/file_lock.h"
#include "common/base/logging.h"
#include "common/base/text.h"
#include "serving/export/exporter.h"

namespace antiphon {
namespace {

constexpr char kLockFile[] = "LOCK";

// What waiting does not cure.
bool IsForPeople(const Status& status) {
  return status.code() == StatusCode::kInvalidArgument ||
         status.code() == StatusCode::kStaleEpoch || status.code() == StatusCode::kAlreadyExists;
}

}  // namespace

Status Follower::Run(const std::vector<VersionSink*>& sinks) {
  const std::string& directory = options_.publisher.out;
  AP_RETURN_IF_ERROR(fs_.MakeDirectories(directory));
  const StatusOr<FileLock> lock = FileLock::Acquire(directory + "/" + kLockFile);
  AP_RETURN_IF_ERROR(lock.status().WithContext("another exporter publishes to " + directory));
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<Publisher> publisher,
                      Publisher::Open(options_.publisher, fs_, sinks));
  while (!stopped()) {
    Status published = PublishAll(*publisher);
    if (IsForPeople(published)) {
      return published;
    }
    if (options_.once) {
      AP_RETURN_IF_ERROR(published);
      return publisher->current().empty()
                 ? NotFoundError(options_.publisher.snapshots + " has no snapshot to publish")
                 : sinks_;
    }
    Report(published.ok() ? sinks_ : published);
    WaitForPoll();
  }
  return Status();
}

Status Follower::PublishAll(Publisher& publisher) {
  while (!stopped()) {
    const Time start = clock_.Now();
    StatusOr<std::optional<Signature>> published = publisher.PublishNext();
    sinks_ = publisher.CatchUpSinks();
    AP_RETURN_IF_ERROR(published.status());
    if (!published->has_value()) {
      return Status();
    }
    const VersionLink& current = publisher.current().back();
    out_ << current.folder << ": " << VersionSummary(current.signature) << ", written in "
         << FormatSeconds(SecondsBetween(start, clock_.Now())) << std::endl;
  }
  return Status();
}

void Follower::Report(const Status& status) {
  if (status.message() == reported_) {
    return;
  }
  reported_ = status.message();
  if (status.ok()) {
    LOG(INFO) << "publishing goes on";
  } else {
    LOG(WARNING) << "trying again: " << status;
  }
}

void Follower::Stop() {
  const MutexLock lock(mu_);
  stop_ = true;
  changed_.SignalAll();
}

bool Follower::stopped() {
  const MutexLock lock(mu_);
  return stop_;
}

void Follower::WaitForPoll() {
  const Time until = clock_.Now() + options_.poll;
  const MutexLock lock(mu_);
  while (!stop_) {
    const Duration left = until - clock_.Now();
    if (left <= Duration::zero()) {
      return;
    }
    changed_.WaitFor(mu_, left);
  }
}

}  // namespace antiphon
