// RecoveryLog: how the cluster got over the loss of servers: what was lost, when, and how long each
// step took until the lanes had learned it again. For ps_ctl and people.
//
// A state machine without a thread; `now` is passed in. Owned by the scheduler's thread.
#pragma once

#include <cstdint>
#include <string>

#include "common/base/clock.h"
#include "proto/cluster.pb.h"
#include "proto/journal_state.pb.h"
#include "scheduler/membership.h"
#include "scheduler/status_log.h"

namespace antiphon {

class RecoveryLog {
 public:
  // The server is gone and the lanes of its slot with it. Known already when a scheduler before
  // this one has noticed.
  void Lost(const Node& server, Time now, int64_t wall_seconds);
  // Another server has the slot.
  void Replaced(uint32_t server, Time now);
  // All lanes serve again; those that were lost stand where the snapshot in `folder` stood (empty:
  // at the beginning), and `replay_samples` are to be learned again.
  void Serving(const std::string& folder, uint64_t replay_samples, Time now);
  // So many are still to be learned again.
  void Observe(uint64_t replay_samples, Time now);

  StatusLog<RecoveryStatus>& log() { return log_; }
  const StatusLog<RecoveryStatus>& log() const { return log_; }
  // Those of a scheduler before this one; what is not over goes on.
  void Load(const ClusterHistory& history, Time now, int64_t wall_seconds);

 private:
  StatusLog<RecoveryStatus> log_;
};

}  // namespace antiphon
