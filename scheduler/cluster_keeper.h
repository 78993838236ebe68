// ClusterKeeper: has the lanes of all servers ready, has them ready again when servers are lost,
// and has shards where they should be when servers join or leave.
//
//   servers and a plan -> build all lanes -> ready
//   a server is lost   -> not ready until its slot is taken; then only the lanes of that slot are
//                         built, from the newest snapshot, and the others learn the new view
//   one joins or is    -> ready, while shards move (scheduler/shard_move.h); then closed for a
//   drained               moment, and ready with the view in which they have moved
//   one that is lost   -> the others are closed, read its shards from the newest snapshot, and are
//   is given up           ready with the view in which they have them
//
// It does not know what was trained: the caller stops giving out leases when it hears kLost or
// kClosed, and goes on when it hears kReady again: where the partitions were, or, when lanes were
// restored, where `restored_from` says. Poll-driven; owned by the scheduler's thread.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/file_system.h"
#include "common/base/status.h"
#include "common/base/types.h"
#include "proto/cluster.pb.h"
#include "proto/plan.pb.h"
#include "scheduler/cluster_builder.h"
#include "scheduler/journal.h"
#include "scheduler/journal_summary.h"
#include "scheduler/lanes.h"
#include "scheduler/membership.h"
#include "scheduler/move_log.h"
#include "scheduler/recovery_log.h"
#include "scheduler/shard_move.h"

namespace antiphon {

struct ClusterKeeperOptions {
  uint64_t cluster_id = 0;
  // A slot that is empty for longer fails the job.
  Duration server_down_timeout = std::chrono::seconds(60);
};

class ClusterKeeper {
 public:
  enum class News { kNone, kLost, kClosed, kReady };

  ClusterKeeper(const ClusterKeeperOptions& options, RpcNode& rpc, Lanes& lanes, FileSystem& fs,
                Clock& clock)
      : options_(options), rpc_(rpc), lanes_(lanes), fs_(fs), clock_(clock), builder_(lanes) {}

  // The job begins from this snapshot, and lost lanes go back to it while there is no newer one.
  void BeginFrom(RestorePoint point) { beginning_ = std::move(point); }
  // A snapshot of this cluster is complete.
  void NoteSnapshot(const std::string& folder);

  // A scheduler before this one has come so far.
  Status GoOn(const JournalSummary& before);
  // From now on a view is told to `journal`, which outlives this, before its epoch is used.
  void Record(JournalSink& journal) { journal_ = &journal; }

  // The lanes are to serve the plan that Advance is given from now on, which extends the one that
  // they serve: they are told so with a later view, and keep what they have. Not ready until then.
  void Rebuild();

  // Looks at the servers and goes as far as replies allow. `plan` is null while there is none.
  // Shards do not begin to move unless they may, and go back while nothing is decided. An error
  // ends the job: a slot was empty for too long, or lanes cannot be built.
  StatusOr<News> Advance(const Membership& members, const TrainingPlan* plan, bool may_move);

  // Shards are moving: nobody else has snapshots written meanwhile.
  bool moving() const { return move_ != nullptr; }
  // A snapshot is needed now, a delta if it can be one; how it ended is for NoteMoveSnapshot.
  bool wants_snapshot() const { return move_ != nullptr && move_->wants_snapshot(); }
  void NoteMoveSnapshot(const StatusOr<SnapshotReply>& snapshot);

  // The lanes of `view` serve.
  bool ready() const { return ready_; }
  // The newest whose epoch is used. Its servers are those that the job cannot do without.
  const ClusterView& view() const { return view_; }
  // Of the view that was built last: some shards had nothing, and were restored or began afresh.
  bool was_anything_lost() const { return was_anything_lost_; }
  // Likewise: some shards lie on other lanes than before.
  bool have_shards_moved() const { return have_shards_moved_; }
  // What the lanes that were built last were restored from; without a folder they began afresh.
  const RestorePoint& restored_from() const { return point_; }
  uint64_t restored_rows() const { return builder_.restored_rows(); }
  RecoveryLog& recoveries() { return recoveries_; }
  // The view, and what is known of losses and moves.
  void Describe(ClusterStatus* status) const;

 private:
  // After a move that was given up.
  static constexpr Duration kMoveAgainAfter = std::chrono::seconds(5);

  // By slot, the process that has it.
  using Servers = std::map<uint32_t, Incarnation>;

  bool NoticeLosses(const Membership& members);
  Status CheckPatience(const Membership& members) const;
  void TakeView(const ClusterView& view);
  void Build(const Membership& members, const TrainingPlan& plan);
  std::vector<LaneId> LanesToRestore();
  RestorePoint NewestSnapshot();
  void Bequeath(const Membership& members, const TrainingPlan& plan);

  News AdvanceMove(const Membership& members, const TrainingPlan& plan, bool may_move);
  std::optional<MoveGoal> WantedMove(const Membership& members) const;
  void BeginMove(MoveGoal goal, const TrainingPlan& plan);
  void Close(const Membership& members, const TrainingPlan& plan);
  void Flip(const TrainingPlan& plan);
  void GiveUpMove(const std::string& why);
  void ForgetAdopted();
  void NoteHistory();

  const ClusterKeeperOptions options_;
  RpcNode& rpc_;
  Lanes& lanes_;
  FileSystem& fs_;
  Clock& clock_;
  ClusterBuilder builder_;
  RestorePoint beginning_;
  std::deque<std::string> snapshots_;  // folders, the newest last
  RestorePoint point_;
  RecoveryLog recoveries_;
  JournalSink* journal_ = nullptr;
  ClusterView view_;
  bool ready_ = false;
  bool was_anything_lost_ = false;
  bool have_shards_moved_ = false;
  bool goes_back_ = false;  // shards were restored under a view that was not ready since
  bool was_ready_ = false;  // once; what is lost after that is a recovery
  Servers whole_;           // whose lanes have all that they should have
  Servers building_;        // of the view that is being built

  MoveLog moves_;
  std::unique_ptr<ShardMove> move_;  // null: none is under way
  bool flipped_ = false;             // its goal is the view that is being built
  Time move_again_at_{};
  bool may_have_adopted_ = false;  // lanes, of a move that nobody goes on with
  std::unique_ptr<LaneRound> forgetting_;
};

}  // namespace antiphon
