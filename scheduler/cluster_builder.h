// ClusterBuilder: from registered servers and a plan to lanes that are ready to serve.
//
//   configure the new lanes -> [ restore them ] -> tell the others of the view -> ready
//
// At the beginning of a job all lanes are new; later only those of servers that were lost. Poll-
// driven: Advance goes on when the round before is over. Owned by the scheduler's thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/ckpt/snapshot_chain.h"
#include "proto/cluster.pb.h"
#include "proto/plan.pb.h"
#include "proto/snapshot.pb.h"
#include "scheduler/lanes.h"

namespace antiphon {

// A snapshot to go back to. Without a folder: the beginning.
struct RestorePoint {
  std::string folder;
  SnapshotManifest manifest;
  RestoreRequest request;  // for the snapshot with what it grows from

  static RestorePoint Of(SnapshotChain chain);
};

// Lanes of a view that are not simply told of it; ascending.
struct LaneCensus {
  std::vector<LaneId> lost;  // know nothing yet
  std::vector<LaneId> gone;  // are not there
};

class ClusterBuilder {
 public:
  enum class State { kIdle, kConfiguring, kRestoring, kSpreading, kReady, kFailed };

  explicit ClusterBuilder(Lanes& lanes) : lanes_(lanes) {}

  // Begins. The lost lanes are restored from `point`, alone; those that are gone are left out.
  void Start(const TrainingPlan& plan, const ClusterView& view, const LaneCensus& census,
             const RestorePoint& point);

  // Gives up what is under way, to be started again.
  void Reset();
  // A scheduler before this one has built all lanes of the view.
  Status Adopt(const ClusterView& view);

  // Goes as far as the replies allow. True when the state has changed.
  bool Advance();

  State state() const { return state_; }
  const Status& status() const { return status_; }           // of a failure
  uint64_t restored_rows() const { return restored_rows_; }  // by the last restore

 private:
  void Configure(State state, const std::vector<LaneId>& lanes);
  void Restore();
  Status ReadRestored();
  void Fail(const Status& status);

  Lanes& lanes_;
  State state_ = State::kIdle;
  Status status_;
  std::unique_ptr<LaneRound> round_;
  ConfigureRequest configure_;
  std::vector<LaneId> lost_;
  std::vector<LaneId> others_;
  RestoreRequest restore_;  // without a directory: nothing is restored
  uint64_t restored_rows_ = 0;
};

}  // namespace antiphon
