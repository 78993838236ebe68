#include "scheduler/cluster_keeper.h"

#include <algorithm>
#include <utility>

#include "common/base/logging.h"
#include "common/base/text.h"
#include "common/ckpt/snapshot_chain.h"
#include "scheduler/restore_check.h"

namespace antiphon {

void ClusterKeeper::NoteSnapshot(const std::string& folder) {
  if (snapshots_.size() == kMaxSnapshots) {
    snapshots_.pop_front();
  }
  snapshots_.push_back(folder);
}

Status ClusterKeeper::GoOn(const ClusterView& ready, uint64_t last_epoch) {
  view_ = ready;
  view_.set_epoch(last_epoch);
  for (const LaneAddress& lane : ready.lanes()) {
    whole_.resize(std::max<size_t>(whole_.size(), lane.server() + 1), 0);
    whole_[lane.server()] = lane.incarnation();
  }
  was_ready_ = ready.lanes_size() > 0;
  ready_ = was_ready_ && ready.epoch() == last_epoch;
  if (!ready_) {
    building_.assign(whole_.size(), 0);
    return Status();
  }
  building_ = whole_;
  rpc_.SetCluster(view_.cluster_id(), view_.epoch());
  return builder_.Adopt(view_);
}

void ClusterKeeper::Rebuild() {
  ready_ = false;
  builder_.Reset();
}

StatusOr<ClusterKeeper::News> ClusterKeeper::Advance(const Membership& members,
                                                     const TrainingPlan* plan) {
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
  }
  builder_.Advance();
  if (builder_.state() == State::kFailed) {
    return builder_.status();
  }
  if (builder_.state() != State::kReady || ready_) {
    return News::kNone;
  }
  whole_ = building_;
  ready_ = was_ready_ = true;
  return News::kReady;
}

// Whether a server of the view is gone or has been replaced. Its slot is whole again only when it
// was built again.
bool ClusterKeeper::NoticeLosses(const Membership& members) {
  bool lost = false;
  for (const Node* node : members.servers()) {
    if (node->index >= building_.size() || building_[node->index] == 0) {
      continue;
    }
    if (building_[node->index] == node->incarnation && node->alive()) {
      continue;
    }
    lost = true;
    const Incarnation gone = std::exchange(building_[node->index], 0);
    if (was_ready_) {
      recoveries_.Lost(*members.Find(gone), clock_.Now(), clock_.WallSeconds());
    }
  }
  if (lost) {
    ready_ = false;
    builder_.Reset();
  }
  return lost;
}

Status ClusterKeeper::CheckPatience(const Membership& members) const {
  for (const Node* node : members.servers()) {
    if (!node->alive() && clock_.Now() - node->gone_at > options_.server_down_timeout) {
      return UnavailableError(
          node->Name() + " is gone (" + node->death + ") and no server took its place within " +
          FormatSeconds(std::chrono::duration<double>(options_.server_down_timeout).count()) +
          "; start one, or raise --server_down_timeout_seconds");
    }
  }
  return Status();
}

void ClusterKeeper::Build(const Membership& members, const TrainingPlan& plan) {
  const ClusterView view = BuildView(members.servers(), options_.cluster_id, view_.epoch() + 1,
                                     plan.schema().shard_count());
  whole_.resize(members.servers().size(), 0);
  building_.resize(whole_.size());
  std::vector<LaneId> lost;
  for (const Node* node : members.servers()) {
    building_[node->index] = node->incarnation;
    if (whole_[node->index] == node->incarnation) {
      continue;
    }
    for (int lane = 0; lane < view.lanes_size(); ++lane) {
      if (view.lanes(lane).server() == node->index) {
        lost.push_back(static_cast<LaneId>(lane));
      }
    }
    recoveries_.Replaced(node->index, clock_.Now());
  }
  was_anything_lost_ = !lost.empty();
  if (journal_ != nullptr) {
    JournalRecord record;
    *record.mutable_building() = view;
    journal_->Note(std::move(record));
  }
  point_ = NewestSnapshot();
  view_ = view;
  rpc_.SetCluster(view_.cluster_id(), view_.epoch());
  builder_.Start(plan, view_, lost, point_);
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
