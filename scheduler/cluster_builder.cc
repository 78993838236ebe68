#include "scheduler/cluster_builder.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "scheduler/restore_check.h"

namespace antiphon {
namespace {

constexpr CallOptions kQuick = {.deadline = std::chrono::seconds(30),
                                .retry_after = std::chrono::seconds(1)};
// A lane reads its share of a snapshot from disk meanwhile.
constexpr CallOptions kPatient = {.deadline = std::chrono::hours(1),
                                  .retry_after = std::chrono::seconds(10)};

}  // namespace

RestorePoint RestorePoint::Of(SnapshotChain chain) {
  RestorePoint point;
  point.request = MakeRestoreRequest(chain);
  point.folder = chain.back().folder;
  point.manifest = std::move(chain.back().manifest);
  return point;
}

void ClusterBuilder::Start(const TrainingPlan& plan, const ClusterView& view,
                           const LaneCensus& census, const RestorePoint& point) {
  lost_ = census.lost;
  others_.clear();
  for (LaneId lane = 0; lane < static_cast<LaneId>(view.lanes_size()); ++lane) {
    if (!std::ranges::binary_search(census.lost, lane) &&
        !std::ranges::binary_search(census.gone, lane)) {
      others_.push_back(lane);
    }
  }
  restored_rows_ = 0;
  restore_ = point.request;
  restore_.set_forget_positions(!SamePartitions(point.manifest.plan(), plan));
  configure_.Clear();
  *configure_.mutable_schema() = plan.schema();
  *configure_.mutable_view() = view;
  if (plan.has_max_staleness()) {
    configure_.set_max_staleness(plan.max_staleness());
  }
  if (const Status status = lanes_.Connect(view); !status.ok()) {
    Fail(status);
    return;
  }
  Configure(State::kConfiguring, lost_);
}

void ClusterBuilder::Reset() {
  round_.reset();
  state_ = State::kIdle;
}

Status ClusterBuilder::Adopt(const ClusterView& view) {
  state_ = State::kReady;
  return lanes_.Connect(view);
}

void ClusterBuilder::Configure(State state, const std::vector<LaneId>& lanes) {
  state_ = state;
  round_ = std::make_unique<LaneRound>(lanes_, kQuick);
  for (const LaneId lane : lanes) {
    configure_.set_lane(lane);
    round_->Ask(lane, METHOD_CONFIGURE, configure_);
  }
}

void ClusterBuilder::Restore() {
  state_ = State::kRestoring;
  round_ = std::make_unique<LaneRound>(lanes_, kPatient);
  for (const LaneId lane : lost_) {
    round_->Ask(lane, METHOD_RESTORE, restore_);
  }
}

Status ClusterBuilder::ReadRestored() {
  for (const LaneId lane : lost_) {
    RestoreReply reply;
    AP_RETURN_IF_ERROR(round_->Read(lane, reply));
    restored_rows_ += reply.rows();
  }
  return Status();
}

bool ClusterBuilder::Advance() {
  if (round_ == nullptr || !round_->over()) {
    return false;
  }
  if (!round_->status().ok()) {
    Fail(round_->status().WithContext(state_ == State::kRestoring ? "restore the lanes"
                                                                  : "configure the lanes"));
    return true;
  }
  switch (state_) {
    case State::kConfiguring:
      if (!restore_.directory().empty()) {
        Restore();
        return true;
      }
      break;
    case State::kRestoring:
      if (const Status status = ReadRestored(); !status.ok()) {
        Fail(status);
        return true;
      }
      break;
    default:
      round_.reset();
      state_ = State::kReady;
      return true;
  }
  Configure(State::kSpreading, others_);
  return true;
}

void ClusterBuilder::Fail(const Status& status) {
  round_.reset();
  state_ = State::kFailed;
  status_ = status;
}

}  // namespace antiphon
