// ControlDesk: what ps_ctl may tell a running job: to write a snapshot, to take in tasks and
// scenes, to do without a node, to end.
//
// An answer is given at once, or when what was asked for is done. An error is the answer to the
// sender. Owned by the scheduler's thread.
#pragma once

#include <string>
#include <utility>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "common/net/rpc.h"
#include "scheduler/cluster_keeper.h"
#include "scheduler/conductor.h"
#include "scheduler/late_answer.h"
#include "scheduler/snapshot_desk.h"

namespace antiphon {

class ControlDesk {
 public:
  // Everything outlives the desk. `snapshot_dir` is the cluster's own, or empty.
  ControlDesk(RpcNode& rpc, Clock& clock, Conductor& job, const ClusterKeeper& cluster,
              SnapshotDesk& snapshots, std::string snapshot_dir)
      : rpc_(rpc),
        clock_(clock),
        job_(job),
        cluster_(cluster),
        snapshots_(snapshots),
        snapshot_dir_(std::move(snapshot_dir)) {}

  // METHOD_SNAPSHOT, METHOD_EXTEND, METHOD_DRAIN and METHOD_STOP, which are not for nodes of the
  // job.
  Status Answer(const Request& request);

  // A round of the snapshot desk has just ended: whoever asked for it is told how.
  void OnSnapshotEnd();
  // The job is extended; likewise.
  void OnExtended();
  // The job has ended: whoever still waits is told so.
  void OnEnd();

 private:
  Status CheckRuns() const;
  Status CheckSender(const Request& request) const;
  Status AnswerSnapshot(const Request& request);
  Status AnswerExtend(const Request& request);

  RpcNode& rpc_;
  Clock& clock_;
  Conductor& job_;
  const ClusterKeeper& cluster_;
  SnapshotDesk& snapshots_;
  const std::string snapshot_dir_;
  LateAnswer snapshot_answer_;
  LateAnswer extend_answer_;
};

}  // namespace antiphon
