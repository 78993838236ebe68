#include "scheduler/shard_move.h"

#include <chrono>
#include <utility>

#include "scheduler/cluster_view.h"

namespace antiphon {
namespace {

constexpr CallOptions kQuick = {.deadline = std::chrono::seconds(30),
                                .retry_after = std::chrono::seconds(1)};
// A lane reads its share of a snapshot from disk meanwhile, between requests.
constexpr CallOptions kPatient = {.deadline = std::chrono::hours(1),
                                  .retry_after = std::chrono::seconds(10)};

const char* Describe(ShardMove::Phase phase) {
  switch (phase) {
    case ShardMove::Phase::kMeeting:
      return "meets the new lanes";
    case ShardMove::Phase::kWriting:
      return "waits for a snapshot";
    case ShardMove::Phase::kReading:
      return "reads the snapshot";
    case ShardMove::Phase::kClosing:
      return "closes the lanes";
    case ShardMove::Phase::kWritingLast:
      return "closed, waits for the last delta";
    case ShardMove::Phase::kReadingLast:
      return "closed, reads the last delta";
    case ShardMove::Phase::kReady:
      return "closed, opens the lanes with their new shards";
    case ShardMove::Phase::kFailed:
      return "failed";
  }
  return "";
}

size_t CountShards(const std::map<LaneId, std::vector<ShardId>>& gained) {
  size_t count = 0;
  for (const auto& [lane, shards] : gained) {
    count += shards.size();
  }
  return count;
}

}  // namespace

ShardMove::ShardMove(MoveGoal goal, const TrainingPlan& plan, Lanes& lanes, MoveLog& log,
                     Clock& clock)
    : goal_(std::move(goal)),
      gained_(GainedShards(goal_.from, goal_.to)),
      lanes_(lanes),
      log_(log),
      clock_(clock) {
  log_.Began(goal_.reason, static_cast<uint32_t>(CountShards(gained_)), clock_.Now(),
             clock_.WallSeconds());
  *configure_.mutable_schema() = plan.schema();
  *configure_.mutable_view() = goal_.from;
  if (plan.has_max_staleness()) {
    configure_.set_max_staleness(plan.max_staleness());
  }
  if (goal_.inheritance.has_value()) {
    Enter(Phase::kClosing);
  } else {
    Meet();
  }
}

// Lanes without shards are those that have joined, or such as do not mind being configured again.
void ShardMove::Meet() {
  Enter(Phase::kMeeting);
  round_ = std::make_unique<LaneRound>(lanes_, kQuick);
  for (const auto& [lane, shards] : gained_) {
    if (!lanes_.HasShards(lane)) {
      configure_.set_lane(lane);
      round_->Ask(lane, METHOD_CONFIGURE, configure_);
    }
  }
}

void ShardMove::Enter(Phase phase) {
  phase_ = phase;
  log_.Phase(Describe(phase));
  if (phase == Phase::kWriting) {
    snapshot_began_ = clock_.Now();
  }
}

void ShardMove::Fail(const Status& status) {
  status_ = status;  // which may be the round's
  round_.reset();
  Enter(Phase::kFailed);
}

void ShardMove::Advance() {
  if (round_ == nullptr || !round_->over()) {
    return;
  }
  if (!round_->status().ok()) {
    Fail(round_->status());
    return;
  }
  OnRoundOver();
}

void ShardMove::OnRoundOver() {
  switch (phase_) {
    case Phase::kMeeting:
      round_.reset();
      Enter(gained_.empty() ? Phase::kClosing : Phase::kWriting);
      return;
    case Phase::kReading:
      CountRows();
      AfterReading();
      return;
    case Phase::kReadingLast:
      CountRows();
      round_.reset();
      Enter(Phase::kReady);
      return;
    default:
      round_.reset();
  }
}

void ShardMove::AfterReading() {
  round_.reset();
  ++snapshots_;
  const bool little_is_left = clock_.Now() - snapshot_began_ <= kLittle;
  Enter(little_is_left || snapshots_ == kMaxSnapshots ? Phase::kClosing : Phase::kWriting);
}

void ShardMove::CountRows() {
  uint64_t rows = 0;
  for (const auto& [lane, shards] : gained_) {
    AdoptReply reply;
    if (const Status status = round_->Read(lane, reply); status.ok()) {
      rows += reply.rows();
    }
  }
  log_.Read(rows);
}

void ShardMove::NoteSnapshot(const StatusOr<SnapshotChain>& chain) {
  if (!wants_snapshot()) {
    return;
  }
  if (!chain.ok()) {
    Fail(chain.status());
    return;
  }
  Enter(phase_ == Phase::kWriting ? Phase::kReading : Phase::kReadingLast);
  Adopt(MakeRestoreRequest(*chain));
}

void ShardMove::Adopt(const RestoreRequest& from) {
  AdoptRequest request;
  *request.mutable_from() = from;
  round_ = std::make_unique<LaneRound>(lanes_, kPatient);
  for (const auto& [lane, shards] : gained_) {
    request.mutable_shards()->Assign(shards.begin(), shards.end());
    round_->Ask(lane, METHOD_ADOPT, request);
  }
}

void ShardMove::NoteClosed() {
  if (phase_ != Phase::kClosing) {
    return;
  }
  log_.Closed(clock_.Now());
  if (gained_.empty()) {
    Enter(Phase::kReady);
  } else if (goal_.inheritance.has_value()) {
    Enter(Phase::kReadingLast);
    Adopt(*goal_.inheritance);
  } else {
    Enter(Phase::kWritingLast);
  }
}

}  // namespace antiphon
