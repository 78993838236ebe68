// LaneThread: a Lane on a thread of its own, with its endpoint.
//
// The lane belongs to the thread. What others may know of it is a status that the thread copies out
// from time to time; that copy is guarded.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "common/base/clock.h"
#include "common/base/file_system.h"
#include "common/base/mutex.h"
#include "common/base/thread.h"
#include "common/net/transport.h"
#include "proto/cluster.pb.h"
#include "server/lane.h"

namespace antiphon {

class LaneThread {
 public:
  LaneThread(const std::string& name, std::unique_ptr<Endpoint> endpoint, Clock& clock,
             FileSystem& fs, SnapshotWriter& snapshots, const LaneOptions& options);
  ~LaneThread() { Stop(); }

  const std::string& address() const { return address_; }
  LaneStatus status() const AP_EXCLUDES(mu_);

  // Requests that have not been answered stay so. May be called twice.
  void Stop();

 private:
  void Run() AP_EXCLUDES(mu_);

  Clock& clock_;
  std::unique_ptr<Endpoint> endpoint_;  // the thread's, with the lane
  const std::string address_;
  const std::shared_ptr<Waker> waker_;
  Lane lane_;
  std::atomic<bool> stop_{false};
  mutable Mutex mu_;
  LaneStatus status_ AP_GUARDED_BY(mu_);
  Thread thread_;
};

}  // namespace antiphon
