// LocalCluster: a scheduler, servers and workers as threads of one process, over one transport.
//
// The same classes as in the daemons; ps_train and the tests that need a whole cluster start it.
// Owned by one thread, which starts it, waits for it and stops it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/file_system.h"
#include "common/base/status.h"
#include "common/net/transport.h"
#include "scheduler/scheduler.h"
#include "scheduler/scheduler_thread.h"
#include "server/server.h"
#include "worker/session.h"
#include "worker/worker.h"

namespace antiphon {

struct LocalClusterOptions {
  SchedulerOptions scheduler;  // listen_address, servers and workers_expected are filled in
  uint32_t servers = 1;
  uint32_t lanes = 1;         // of each server
  uint64_t memory_limit = 0;  // of each server, in bytes; 0: none
  uint64_t job_digest = 0;
  uint64_t seed = 0;  // of incarnations and the cluster's id: random, except in tests
  // The address that an endpoint of this name listens at, such as "mem://NAME".
  std::function<std::string(const std::string& name)> listen_address;
};

class LocalCluster {
 public:
  // One worker for each factory. Everything given outlives the cluster.
  static StatusOr<std::unique_ptr<LocalCluster>> Start(
      LocalClusterOptions options, Transport& transport, FileSystem& fs, Clock& clock,
      const std::vector<EngineFactory*>& factories);
  ~LocalCluster() { Stop(); }

  // Whether the job ended, or a part of the cluster failed, within `timeout`.
  bool WaitFor(Duration timeout);

  // Waits for the end. A worker's error comes first: the others end because of it.
  Status Wait();

  // Ends what still runs, in reverse order of its start. May be called twice.
  void Stop();

  const std::string& scheduler_address() const { return scheduler_->address(); }
  Worker& worker(size_t i) { return *workers_[i]; }
  Server& server(size_t i) { return *servers_[i]; }

 private:
  LocalCluster() = default;

  std::unique_ptr<SchedulerThread> scheduler_;
  std::vector<std::unique_ptr<Server>> servers_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace antiphon
