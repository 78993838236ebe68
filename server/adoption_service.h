// AdoptionService: shards on their way to this lane, read from a snapshot while the lane goes on.
//
// Adopt only notes what to read. Advance, called between two requests, reads it in slices: rows go
// into the lane's tables, where nobody finds them yet (server/row_table.h), chunks and positions
// wait here. As the snapshot grows by deltas it is asked for again, and only what is new is read.
// TakeView makes the shards the lane's own, and sends away those that a view gives to others. Owned
// by a Lane, used on its thread.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/file_system.h"
#include "common/base/status.h"
#include "common/base/types.h"
#include "proto/cluster.pb.h"
#include "server/dense_store.h"
#include "server/lane_restorer.h"
#include "server/lane_state.h"

namespace antiphon {

class AdoptionService {
 public:
  AdoptionService(LaneState& state, FileSystem& fs) : state_(state), fs_(fs) {}

  // Begins to read what is asked for and not there yet; TakeResult will have the answer. A repeat
  // of the request that is being answered changes nothing. Another list of shards, or a snapshot
  // that does not go on from what was read, begins anew; without shards what was adopted is
  // forgotten. Without a snapshot the shards are as in a new model. kInvalidArgument: a shard is
  // the lane's already, or there is no such shard.
  Status Adopt(const AdoptRequest& request);

  // A slice of what Adopt began, or of forgetting rows that went. True when there are more.
  bool Advance();
  // Whether the next slice should follow at once: a view has closed the cluster until the last of
  // it is read. Otherwise it may wait, since processors are for those who serve.
  bool hurries() const { return is_closed_; }

  // How the last request ended, once.
  std::optional<StatusOr<AdoptReply>> TakeResult();

  // Nothing of what was adopted is wanted.
  void Forget();

  // Whether all of these have been read that are not the lane's own.
  bool HasRead(const std::vector<ShardId>& shards) const;

  // Goes by a newer view, in which the lane may have other shards: handles of pulls are then
  // forgotten, and so is what was adopted and is not wanted. kFailedPrecondition, and nothing
  // changes, when a shard was never read, or when the view is none for this lane.
  Status TakeView(const ConfigureRequest& config);

 private:
  struct Link {
    std::string directory;
    SnapshotFiles files;
  };
  // Shards, and what has been read of them.
  struct Adoption {
    std::vector<ShardId> shards;  // ascending
    std::unique_ptr<DenseStore> dense;
    std::unique_ptr<LaneRestorer> restorer;
    std::vector<Link> links;  // the whole snapshot; empty: there is none
    bool forgets_positions = false;
    size_t links_read = 0;
    bool is_reading = false;  // the link behind these
  };

  bool GoesOn(const std::vector<ShardId>& shards, const std::vector<Link>& links) const;
  Status Begin(const std::vector<ShardId>& shards);
  Status ReadSlice();
  bool ForgetSlice() const;
  bool is_whole() const {
    return !adoption_.has_value() || adoption_->links_read == adoption_->links.size();
  }
  StatusOr<PositionLedger> Regroup(const std::vector<ShardId>& shards) const;
  std::vector<PositionGroup> AdoptedGroups() const;

  LaneState& state_;
  FileSystem& fs_;
  std::optional<Adoption> adoption_;
  bool is_closed_ = false;
  std::string asked_;  // the bytes of the request that waits for its answer; empty: none does
  Status failure_;     // of that one
};

}  // namespace antiphon
