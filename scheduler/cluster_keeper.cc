#include "scheduler/cluster_keeper.h"

#include <chrono>
#include <utility>

#include "common/base/logging.h"
#include "common/base/text.h"
#include "common/ckpt/snapshot_chain.h"
#include "scheduler/cluster_view.h"
#include "scheduler/journal_thinning.h"
#include "scheduler/restore_check.h"

namespace antiphon {
namespace {

constexpr CallOptions kQuick = {.deadline = std::chrono::seconds(30),
                                .retry_after = std::chrono::seconds(1)};

std::map<uint32_t, Incarnation> ServersOf(const ClusterView& view) {
  std::map<uint32_t, Incarnation> servers;
  for (const LaneAddress& lane : view.lanes()) {
    servers[lane.server()] = lane.incarnation();
  }
  return servers;
}

std::vector<const Node*> Seated(const Membership& members) {
  std::vector<const Node*> seated;
  for (const Node* server : members.servers()) {
    if (members.HasSeat(*server)) {
      seated.push_back(server);
    }
  }
  return seated;
}

}  // namespace

void ClusterKeeper::NoteSnapshot(const std::string& folder) {
  if (snapshots_.size() == kSnapshotsInJournal) {
    snapshots_.pop_front();
  }
  snapshots_.push_back(folder);
}

Status ClusterKeeper::GoOn(const JournalSummary& before) {
  view_ = before.whole;
  view_.set_epoch(before.last_view_epoch);
  whole_ = ServersOf(view_);
  goes_back_ = before.goes_back;
  recoveries_.Load(before.history, clock_.Now(), clock_.WallSeconds());
  moves_.Load(before.history, clock_.Now(), clock_.WallSeconds());
  was_ready_ = before.whole.lanes_size() > 0;
  ready_ = was_ready_ && before.ready_epoch == before.last_view_epoch;
  may_have_adopted_ = was_ready_;
  if (!ready_) {
    return Status();
  }
  building_ = whole_;
  rpc_.SetCluster(view_.cluster_id(), view_.epoch());
  return builder_.Adopt(view_);
}

void ClusterKeeper::Rebuild() {
  if (move_ != nullptr) {
    GiveUpMove("the job is extended");
  }
  ready_ = false;
  builder_.Reset();
}

StatusOr<ClusterKeeper::News> ClusterKeeper::Advance(const Membership& members,
                                                     const TrainingPlan* plan, bool may_move) {
  NoteHistory();
  if (NoticeLosses(members)) {
    return News::kLost;
  }
  AP_RETURN_IF_ERROR(CheckPatience(members));
  using State = ClusterBuilder::State;
  if (builder_.state() == State::kIdle && members.servers_complete() && plan != nullptr) {
    if (!beginning_.folder.empty()) {
      AP_RETURN_IF_ERROR(CheckSchemasFit(beginning_.manifest.plan().schema(), plan->schema())
                             .WithContext("restore " + beginning_.folder));
    }
    Build(members, *plan);
  } else if (builder_.state() == State::kIdle && members.servers_complete_but_given_up() &&
             plan != nullptr && clock_.Now() >= move_again_at_) {
    Bequeath(members, *plan);
  }
  builder_.Advance();
  if (builder_.state() == State::kFailed) {
    return builder_.status();
  }
  if (builder_.state() != State::kReady) {
    return News::kNone;
  }
  const bool is_closed = move_ != nullptr && !flipped_ && !ready_;
  if (ready_ || is_closed) {
    return AdvanceMove(members, *plan, may_move);
  }
  if (flipped_) {
    moves_.Serving(clock_.Now());
    move_.reset();
    flipped_ = false;
  }
  whole_ = building_;
  ready_ = was_ready_ = true;
  goes_back_ = false;
  return News::kReady;
}

// Whether a server of the view is gone or has been replaced. Its slot is whole again only when it
// was built again.
bool ClusterKeeper::NoticeLosses(const Membership& members) {
  bool lost = false;
  for (auto& [slot, incarnation] : building_) {
    const Node* server = members.ServerOf(slot);
    const bool is_there =
        server != nullptr && server->incarnation == incarnation && server->alive();
    if (incarnation == 0 || is_there) {
      continue;
    }
    lost = true;
    const Incarnation gone = std::exchange(incarnation, 0);
    if (was_ready_) {
      recoveries_.Lost(*members.Find(gone), clock_.Now(), clock_.WallSeconds());
    }
  }
  if (lost) {
    ready_ = false;
    if (move_ != nullptr) {
      GiveUpMove(flipped_ ? "a server was lost at the end; what follows is a recovery"
                          : "a server was lost");
    }
    builder_.Reset();
  }
  return lost;
}

Status ClusterKeeper::CheckPatience(const Membership& members) const {
  for (const Node* node : members.servers()) {
    if (!node->alive() && !node->given_up &&
        clock_.Now() - node->gone_at > options_.server_down_timeout) {
      return UnavailableError(
          node->Name() + " is gone (" + node->death + ") and no server took its place within " +
          FormatSeconds(std::chrono::duration<double>(options_.server_down_timeout).count()) +
          "; start one, or raise --server_down_timeout_seconds; where the scheduler has a "
          "--snapshot_dir and other servers live, they get its shards");
    }
  }
  return Status();
}

void ClusterKeeper::TakeView(const ClusterView& view) {
  if (journal_ != nullptr) {
    JournalRecord record;
    *record.mutable_building() = view;
    journal_->Note(std::move(record));
  }
  forgetting_.reset();
  view_ = view;
  building_ = ServersOf(view);
  rpc_.SetCluster(view_.cluster_id(), view_.epoch());
}

void ClusterKeeper::Build(const Membership& members, const TrainingPlan& plan) {
  const uint64_t epoch = view_.epoch() + 1;
  TakeView(was_ready_ ? NextView(view_, Seated(members), epoch, Placement::kKeep)
                      : FirstView(members.FirstServers(), options_.cluster_id, epoch,
                                  plan.schema().shard_count()));
  const std::vector<LaneId> lost = LanesToRestore();
  was_anything_lost_ = goes_back_ || !lost.empty();
  have_shards_moved_ = false;
  point_ = was_anything_lost_ ? NewestSnapshot() : RestorePoint();
  builder_.Start(plan, view_, {.lost = lost, .gone = {}}, point_);
}

// Those of servers that live and have not what their lanes should have.
std::vector<LaneId> ClusterKeeper::LanesToRestore() {
  std::vector<LaneId> lost;
  for (int lane = 0; lane < view_.lanes_size(); ++lane) {
    const LaneAddress& address = view_.lanes(lane);
    if (building_[address.server()] != 0 && whole_[address.server()] != address.incarnation()) {
      lost.push_back(static_cast<LaneId>(lane));
      recoveries_.Replaced(address.server(), clock_.Now());
    }
  }
  return lost;
}

// The lanes of servers that are given up are in the view that closes the cluster, since lanes must
// know where all shards lie, and are asked nothing.
void ClusterKeeper::Bequeath(const Membership& members, const TrainingPlan& plan) {
  const std::vector<const Node*> seated = Seated(members);
  TakeView(NextView(view_, seated, view_.epoch() + 1, Placement::kKeep));
  std::vector<const Node*> heirs;
  std::string reason;
  for (const Node* server : seated) {
    if (server->given_up) {
      building_[server->index] = 0;
      reason += (reason.empty() ? "server " : ", server ") + std::to_string(server->index) +
                " is given up";
    } else {
      heirs.push_back(server);
    }
  }
  LaneCensus census;
  census.lost = LanesToRestore();
  for (int lane = 0; lane < view_.lanes_size(); ++lane) {
    if (building_[view_.lanes(lane).server()] == 0) {
      census.gone.push_back(static_cast<LaneId>(lane));
    }
  }
  point_ = NewestSnapshot();
  RestoreRequest inheritance = point_.request;
  inheritance.set_forget_positions(!SamePartitions(point_.manifest.plan(), plan));
  MoveGoal goal = {.reason = reason,
                   .from = view_,
                   .to = NextView(view_, heirs, 0, Placement::kBalance),
                   .inheritance = std::move(inheritance)};
  move_ = std::make_unique<ShardMove>(std::move(goal), plan, lanes_, moves_, clock_);
  builder_.Start(plan, view_, census, point_);
}

ClusterKeeper::News ClusterKeeper::AdvanceMove(const Membership& members, const TrainingPlan& plan,
                                               bool may_move) {
  if (move_ == nullptr) {
    if (may_have_adopted_) {
      ForgetAdopted();
    }
    if (may_move && clock_.Now() >= move_again_at_) {
      if (std::optional<MoveGoal> goal = WantedMove(members); goal.has_value()) {
        BeginMove(*std::move(goal), plan);
      }
    }
    return News::kNone;
  }
  for (const LaneAddress& lane : move_->goal().to.lanes()) {
    const Node& node = *members.Find(lane.incarnation());
    // One that joined and was drained before it had anything is alive and has no slot any more.
    if (!node.alive() || members.ServerOf(lane.server()) != &node) {
      GiveUpMove(node.Name() + " is gone");
      return News::kNone;
    }
  }
  if (ready_ && !may_move) {
    GiveUpMove("the job ends, or is extended");
    return News::kNone;
  }
  if (!ready_) {
    move_->NoteClosed();
  }
  move_->Advance();
  switch (move_->phase()) {
    case ShardMove::Phase::kFailed:
      GiveUpMove(move_->status().ToString());
      return News::kNone;
    case ShardMove::Phase::kClosing:
      Close(members, plan);
      return News::kClosed;
    case ShardMove::Phase::kReady:
      Flip(plan);
      return News::kNone;
    default:
      return News::kNone;
  }
}

std::optional<MoveGoal> ClusterKeeper::WantedMove(const Membership& members) const {
  std::vector<const Node*> staying;
  std::string reason;
  for (const Node* server : members.servers()) {
    const std::string name = "server " + std::to_string(server->index);
    const std::string comma = reason.empty() ? "" : ", ";
    if (server->draining) {
      reason += comma + name + " is drained";
      continue;
    }
    staying.push_back(server);
    reason += members.HasSeat(*server) ? "" : comma + name + " joined";
  }
  if (reason.empty() || staying.empty()) {
    return std::nullopt;
  }
  return MoveGoal{.reason = reason,
                  .from = NextView(view_, members.servers(), view_.epoch(), Placement::kKeep),
                  .to = NextView(view_, staying, 0, Placement::kBalance),
                  .inheritance = std::nullopt};
}

void ClusterKeeper::BeginMove(MoveGoal goal, const TrainingPlan& plan) {
  forgetting_.reset();
  if (const Status status = lanes_.Connect(goal.from); !status.ok()) {
    LOG(WARNING) << goal.reason << ": " << status;
    move_again_at_ = clock_.Now() + kMoveAgainAfter;
    return;
  }
  move_ = std::make_unique<ShardMove>(std::move(goal), plan, lanes_, moves_, clock_);
}

// Everybody who serves or reads goes by a view that no worker gets: what is pushed under the old
// one is refused.
void ClusterKeeper::Close(const Membership& members, const TrainingPlan& plan) {
  TakeView(NextView(view_, Seated(members), view_.epoch() + 1, Placement::kKeep));
  ready_ = false;
  ClusterView with_newcomers = move_->goal().from;
  with_newcomers.set_epoch(view_.epoch());
  builder_.Start(plan, with_newcomers, LaneCensus(), RestorePoint());
}

// From here on there is no way back: the lanes have what they should have, and a server that is
// lost is restored under the new view. What was inherited stands where the snapshot stood.
void ClusterKeeper::Flip(const TrainingPlan& plan) {
  ClusterView view = move_->goal().to;
  view.set_epoch(view_.epoch() + 1);
  TakeView(view);
  whole_ = building_;
  flipped_ = true;
  have_shards_moved_ = true;
  goes_back_ = was_anything_lost_ = move_->goal().inheritance.has_value();
  if (!was_anything_lost_) {
    point_ = RestorePoint();
  }
  builder_.Start(plan, view_, LaneCensus(), RestorePoint());
}

void ClusterKeeper::NoteMoveSnapshot(const StatusOr<SnapshotReply>& snapshot) {
  if (move_ != nullptr) {
    move_->NoteSnapshot(snapshot.ok() ? ReadChain(fs_, snapshot->directory())
                                      : StatusOr<SnapshotChain>(snapshot.status()));
  }
}

// The cluster goes on as it was. If it is closed, it is opened by one more view.
void ClusterKeeper::GiveUpMove(const std::string& why) {
  moves_.GivenUp(why);
  move_.reset();
  flipped_ = false;
  may_have_adopted_ = true;
  move_again_at_ = clock_.Now() + kMoveAgainAfter;
  if (!ready_) {
    builder_.Reset();
  } else if (const Status status = lanes_.Connect(view_); !status.ok()) {
    LOG(WARNING) << status;
  }
}

void ClusterKeeper::Describe(ClusterStatus* status) const {
  if (view_.epoch() > 0) {
    *status->mutable_view() = view_;
  }
  recoveries_.log().Describe(status->mutable_recoveries());
  moves_.log().Describe(status->mutable_moves());
}

void ClusterKeeper::NoteHistory() {
  const bool of_recoveries = recoveries_.log().TakeNews();
  const bool of_moves = moves_.log().TakeNews();
  if (journal_ == nullptr || !(of_recoveries || of_moves)) {
    return;
  }
  JournalRecord record;
  recoveries_.log().Describe(record.mutable_history()->mutable_recoveries());
  moves_.log().Describe(record.mutable_history()->mutable_moves());
  journal_->Note(std::move(record));
}

// What comes too late does no harm: a lane that forgot reads again.
void ClusterKeeper::ForgetAdopted() {
  may_have_adopted_ = false;
  forgetting_ = std::make_unique<LaneRound>(lanes_, kQuick);
  for (LaneId lane = 0; lane < lanes_.size(); ++lane) {
    forgetting_->Ask(lane, METHOD_ADOPT, AdoptRequest());
  }
}

// One that has been moved away since does not stop a recovery: an older one only means more to
// learn again.
RestorePoint ClusterKeeper::NewestSnapshot() {
  for (; !snapshots_.empty(); snapshots_.pop_back()) {
    StatusOr<SnapshotChain> chain = ReadChain(fs_, snapshots_.back());
    if (chain.ok()) {
      return RestorePoint::Of(*std::move(chain));
    }
    LOG(WARNING) << "cannot go back to " << snapshots_.back() << ": " << chain.status();
  }
  return beginning_;
}

}  // namespace antiphon
