// ClusterBuilder: from registered servers and a plan to lanes that are ready to serve.
//
//   configure every lane -> [ restore every lane -> ask where its partitions stand ] -> ready
//
// Poll-driven: Advance goes on when the round before is over. Owned by the scheduler's thread.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "proto/cluster.pb.h"
#include "proto/plan.pb.h"
#include "proto/snapshot.pb.h"
#include "scheduler/lanes.h"
#include "scheduler/membership.h"

namespace antiphon {

// The view of a cluster of these servers: lanes of server 0 first, shards spread over all lanes.
ClusterView BuildView(const std::deque<Node>& nodes, uint64_t cluster_id, uint32_t shard_count);

class ClusterBuilder {
 public:
  enum class State { kIdle, kConfiguring, kRestoring, kLocating, kReady, kFailed };

  explicit ClusterBuilder(Lanes& lanes) : lanes_(lanes) {}

  // Begins. `restore_folder` is empty or the folder of `manifest`.
  void Start(const TrainingPlan& plan, const ClusterView& view, const std::string& restore_folder,
             const SnapshotManifest& manifest);

  // Goes as far as the replies allow. True when the state has changed.
  bool Advance();

  State state() const { return state_; }
  const Status& status() const { return status_; }  // of a failure
  // After a restore: up to where every lane has applied each partition.
  const std::vector<PartitionPosition>& positions() const { return positions_; }
  uint64_t restored_rows() const { return restored_rows_; }

 private:
  void Configure(const TrainingPlan& plan, const ClusterView& view);
  void Restore();
  void Locate();
  Status ReadRestored();
  Status ReadPositions();
  void Fail(const Status& status);

  Lanes& lanes_;
  State state_ = State::kIdle;
  Status status_;
  std::unique_ptr<LaneRound> round_;
  std::string restore_folder_;
  RestoreRequest restore_;
  std::vector<PartitionPosition> positions_;
  uint64_t restored_rows_ = 0;
};

}  // namespace antiphon
