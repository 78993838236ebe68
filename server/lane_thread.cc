#include "server/lane_thread.h"

#include <utility>

namespace antiphon {

namespace {

constexpr Duration kStatusPeriod = std::chrono::milliseconds(200);

}  // namespace

LaneThread::LaneThread(const std::string& name, std::unique_ptr<Endpoint> endpoint, Clock& clock,
                       FileSystem& fs, SnapshotWriter& snapshots, const LaneOptions& options)
    : clock_(clock),
      endpoint_(std::move(endpoint)),
      address_(endpoint_->address()),
      waker_(endpoint_->waker()),
      lane_(*endpoint_, clock, fs, snapshots, options) {
  thread_ = Thread(name, [this] { Run(); });
}

LaneStatus LaneThread::status() const {
  MutexLock lock(mu_);
  return status_;
}

void LaneThread::Stop() {
  stop_.store(true);
  waker_->Wake();
  thread_.Join();
}

void LaneThread::Run() {
  LaneStatus fresh;
  Time publish_at = clock_.Now();
  while (!stop_.load()) {
    const Time now = clock_.Now();
    if (now >= publish_at) {
      lane_.Describe(&fresh);
      publish_at = now + kStatusPeriod;
      MutexLock lock(mu_);
      status_.Swap(&fresh);
    }
    lane_.Poll(kStatusPeriod);
  }
}

}  // namespace antiphon
