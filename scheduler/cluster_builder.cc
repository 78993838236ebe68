#include "scheduler/cluster_builder.h"

#include <algorithm>
#include <chrono>
#include <map>

#include "common/cluster/shard_map.h"
#include "scheduler/restore_check.h"

namespace antiphon {
namespace {

constexpr CallOptions kQuick = {.deadline = std::chrono::seconds(30),
                                .retry_after = std::chrono::seconds(1)};
// A lane reads its share of a snapshot from disk meanwhile.
constexpr CallOptions kPatient = {.deadline = std::chrono::hours(1),
                                  .retry_after = std::chrono::seconds(10)};

}  // namespace

ClusterView BuildView(const std::deque<Node>& nodes, uint64_t cluster_id, uint32_t shard_count) {
  ClusterView view;
  view.set_cluster_id(cluster_id);
  view.set_epoch(1);
  view.set_shard_count(shard_count);
  for (const Node& node : nodes) {
    if (node.role != ROLE_SERVER) {
      continue;
    }
    for (const std::string& address : node.lane_addresses) {
      LaneAddress& lane = *view.add_lanes();
      lane.set_address(address);
      lane.set_server(node.index);
    }
  }
  for (const LaneId lane : AssignShards(shard_count, static_cast<uint32_t>(view.lanes_size()))) {
    view.add_lane_of_shard(lane);
  }
  return view;
}

void ClusterBuilder::Start(const TrainingPlan& plan, const ClusterView& view,
                           const std::string& restore_folder, const SnapshotManifest& manifest) {
  restore_folder_ = restore_folder;
  restore_.set_directory(restore_folder);
  *restore_.mutable_files() = manifest.files();
  restore_.set_forget_positions(!SamePartitions(manifest.plan(), plan));
  if (const Status status = lanes_.Connect(view); !status.ok()) {
    Fail(status);
    return;
  }
  Configure(plan, view);
}

void ClusterBuilder::Configure(const TrainingPlan& plan, const ClusterView& view) {
  state_ = State::kConfiguring;
  round_ = std::make_unique<LaneRound>(lanes_, kQuick);
  ConfigureRequest request;
  *request.mutable_schema() = plan.schema();
  *request.mutable_view() = view;
  if (plan.has_max_staleness()) {
    request.set_max_staleness(plan.max_staleness());
  }
  for (LaneId lane = 0; lane < lanes_.size(); ++lane) {
    request.set_lane(lane);
    round_->Ask(lane, METHOD_CONFIGURE, request);
  }
}

void ClusterBuilder::Restore() {
  state_ = State::kRestoring;
  round_ = std::make_unique<LaneRound>(lanes_, kPatient);
  for (LaneId lane = 0; lane < lanes_.size(); ++lane) {
    round_->Ask(lane, METHOD_RESTORE, restore_);
  }
}

void ClusterBuilder::Locate() {
  state_ = State::kLocating;
  round_ = std::make_unique<LaneRound>(lanes_, kQuick);
  for (LaneId lane = 0; lane < lanes_.size(); ++lane) {
    round_->Ask(lane, METHOD_LANE_STATUS, LaneStatusRequest());
  }
}

Status ClusterBuilder::ReadRestored() {
  for (LaneId lane = 0; lane < lanes_.size(); ++lane) {
    RestoreReply reply;
    AP_RETURN_IF_ERROR(round_->Read(lane, reply));
    restored_rows_ += reply.rows();
  }
  return Status();
}

// A sample is applied once every lane has it: the lowest position counts, and a lane that does not
// name a partition has nothing of it.
Status ClusterBuilder::ReadPositions() {
  std::map<PartitionId, std::pair<size_t, PartitionPosition>> lowest;
  for (LaneId lane = 0; lane < lanes_.size(); ++lane) {
    LaneStatus reply;
    AP_RETURN_IF_ERROR(round_->Read(lane, reply));
    for (const PartitionPosition& position : reply.positions()) {
      auto& [lanes, known] = lowest[position.partition()];
      if (lanes++ == 0 || position.applied_through() < known.applied_through()) {
        known = position;
      }
    }
  }
  for (const auto& [partition, entry] : lowest) {
    if (entry.first == lanes_.size()) {
      positions_.push_back(entry.second);
    }
  }
  return Status();
}

bool ClusterBuilder::Advance() {
  if (round_ == nullptr || !round_->over()) {
    return false;
  }
  if (!round_->status().ok()) {
    const char* what = state_ == State::kConfiguring ? "configure the lanes"
                       : state_ == State::kRestoring ? "restore the lanes"
                                                     : "ask the lanes where they stand";
    Fail(round_->status().WithContext(what));
    return true;
  }
  Status status;
  switch (state_) {
    case State::kConfiguring:
      if (!restore_folder_.empty()) {
        Restore();
        return true;
      }
      break;
    case State::kRestoring:
      status = ReadRestored();
      if (status.ok()) {
        Locate();
        return true;
      }
      break;
    default:
      status = ReadPositions();
      break;
  }
  if (!status.ok()) {
    Fail(status);
    return true;
  }
  round_.reset();
  state_ = State::kReady;
  return true;
}

void ClusterBuilder::Fail(const Status& status) {
  round_.reset();
  state_ = State::kFailed;
  status_ = status;
}

}  // namespace antiphon
