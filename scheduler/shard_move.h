// ShardMove: brings shards to the lanes that shall have them, while the job goes on.
//
//   meet the new lanes -> [ snapshot -> read it ]* -> close -> last delta -> read it -> ready
//
// The lanes that gain shards read them from snapshots that all lanes write, into tables where
// nobody finds them yet; each snapshot is a delta of the one before, so that less and less is left.
// When little is, the cluster is closed by a view that no worker gets, what has changed since is
// read, and the view that gives the shards to their new lanes may come. Before that moment a move
// can be given up at any time, and nothing has happened; the lanes are then told to forget what
// they read.
//
// The shards of a server that is lost for good are inherited: the cluster is closed already, and
// what is read is the newest snapshot that there is.
//
// It sees to the lanes. Snapshots and views are made by others, who look at phase(). Poll-driven;
// owned by the scheduler's thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "common/base/types.h"
#include "common/ckpt/snapshot_chain.h"
#include "proto/cluster.pb.h"
#include "proto/plan.pb.h"
#include "scheduler/lanes.h"
#include "scheduler/move_log.h"

namespace antiphon {

// What a move is about.
struct MoveGoal {
  std::string reason;  // "server 2 joined"
  ClusterView from;    // that is served, with the lanes that have joined
  ClusterView to;
  // Where shards are read from that their lanes have lost; without a folder they begin anew.
  std::optional<RestoreRequest> inheritance;
};

class ShardMove {
 public:
  enum class Phase {
    kMeeting,
    kWriting,  // waits for NoteSnapshot
    kReading,
    kClosing,      // waits for NoteClosed
    kWritingLast,  // waits for NoteSnapshot
    kReadingLast,
    kReady,   // the lanes have all that `to` gives them
    kFailed,  // status() says why
  };

  // `lanes` are those of goal.from.
  ShardMove(MoveGoal goal, const TrainingPlan& plan, Lanes& lanes, MoveLog& log, Clock& clock);

  // Goes as far as the replies allow.
  void Advance();

  // A snapshot that began in this phase is complete, or why not.
  void NoteSnapshot(const StatusOr<SnapshotChain>& chain);
  // All lanes go by a view that nobody else knows.
  void NoteClosed();

  Phase phase() const { return phase_; }
  bool wants_snapshot() const { return phase_ == Phase::kWriting || phase_ == Phase::kWritingLast; }
  const MoveGoal& goal() const { return goal_; }
  const Status& status() const { return status_; }

 private:
  // What was written and read within this time is little.
  static constexpr Duration kLittle = std::chrono::milliseconds(500);
  // So many snapshots before it is closed all the same: training may be faster than the disk.
  static constexpr int kMaxSnapshots = 5;

  void Meet();
  void Enter(Phase phase);
  void Fail(const Status& status);
  void OnRoundOver();
  void Adopt(const RestoreRequest& from);
  void CountRows();
  void AfterReading();

  const MoveGoal goal_;
  const std::map<LaneId, std::vector<ShardId>> gained_;
  Lanes& lanes_;
  MoveLog& log_;
  Clock& clock_;
  ConfigureRequest configure_;
  Phase phase_ = Phase::kMeeting;
  Status status_;
  std::unique_ptr<LaneRound> round_;
  int snapshots_ = 0;
  Time snapshot_began_;
};

}  // namespace antiphon
