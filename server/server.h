// Server: lanes, each on its thread, and an agent that speaks for them to the scheduler.
//
// It ends when the job does, when the scheduler is lost, when it was drained and owns nothing any
// more, or when it is told to. Start, Wait and Stop may be called from any thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/file_system.h"
#include "common/base/mutex.h"
#include "common/base/status.h"
#include "common/base/types.h"
#include "common/net/node_agent.h"
#include "common/net/transport.h"
#include "server/lane_thread.h"
#include "server/position_ledger.h"
#include "server/snapshot_writer.h"

namespace antiphon {

struct ServerOptions {
  std::string scheduler_address;
  // Where each lane listens; at least one.
  std::vector<std::string> listen_addresses;
  Incarnation incarnation = 0;
  std::string host;  // for the scheduler's status
  int64_t pid = 0;
  int64_t replaces_pid = 0;  // RegisterRequest.replaces_pid; 0: nobody's
  Duration register_timeout = std::chrono::seconds(30);
  Duration scheduler_timeout = std::chrono::seconds(60);
  PositionCheck position_check = PositionCheck::kOn;
  uint64_t memory_limit = 0;  // bytes of rows, indexes and chunks of all lanes; 0: none
};

class Server {
 public:
  // Listens and starts to register; the scheduler may come later. Fails when an address is taken.
  // Transport, clock and file system outlive the server.
  static StatusOr<std::unique_ptr<Server>> Start(Transport& transport, Clock& clock, FileSystem& fs,
                                                 const ServerOptions& options);
  ~Server() { Stop(); }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // In the order of the options, with their ports.
  std::vector<std::string> lane_addresses() const;

  // Waits for the end. Ok when the job finished or was stopped, when others have all that the
  // server had, or after Stop; otherwise why the job failed or that the scheduler, by its address,
  // is lost.
  Status Wait() AP_EXCLUDES(mu_);
  // Whether the end came within `timeout`.
  bool WaitFor(Duration timeout) AP_EXCLUDES(mu_);

  // Ends the lanes and the agent; Wait returns. May be called twice.
  void Stop() AP_EXCLUDES(mu_);

 private:
  explicit Server(FileSystem& fs) : snapshots_(fs, SnapshotWriter::Mode::kThread) {}
  void FillHeartbeat(HeartbeatRequest& request) const;
  void End() AP_EXCLUDES(mu_);

  SnapshotWriter snapshots_;
  std::vector<std::unique_ptr<LaneThread>> lanes_;
  std::unique_ptr<NodeAgent> agent_;

  Mutex mu_;
  CondVar ended_changed_;
  bool ended_ AP_GUARDED_BY(mu_) = false;
  bool stopped_ AP_GUARDED_BY(mu_) = false;
};

}  // namespace antiphon
