// ClusterKeeper: has the lanes of all servers ready, and has them ready again when servers are
// lost.
//
//   servers and a plan -> build all lanes -> ready
//   a server is lost   -> not ready until its slot is taken; then only the lanes of that slot are
//                         built, from the newest snapshot, and the others learn the new view
//
// It does not know what was trained: the caller stops giving out leases when it hears kLost, and
// rewinds the partitions to `restored_from` when it hears kReady again. Poll-driven; owned by the
// scheduler's thread.
#pragma once

#include <cstdint>
#include <deque>
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
#include "scheduler/lanes.h"
#include "scheduler/membership.h"
#include "scheduler/recovery_log.h"

namespace antiphon {

struct ClusterKeeperOptions {
  uint64_t cluster_id = 0;
  // A slot that is empty for longer fails the job.
  Duration server_down_timeout = std::chrono::seconds(60);
};

class ClusterKeeper {
 public:
  enum class News { kNone, kLost, kReady };

  ClusterKeeper(const ClusterKeeperOptions& options, RpcNode& rpc, Lanes& lanes, FileSystem& fs,
                Clock& clock)
      : options_(options), rpc_(rpc), lanes_(lanes), fs_(fs), clock_(clock), builder_(lanes) {}

  // The job begins from this snapshot, and lost lanes go back to it while there is no newer one.
  void BeginFrom(RestorePoint point) { beginning_ = std::move(point); }
  // A snapshot of this cluster is complete.
  void NoteSnapshot(const std::string& folder);

  // A scheduler before this one had this view ready, or none, and has used epochs up to
  // `last_epoch`: when that is a newer one, it did not come to the end of building it.
  Status GoOn(const ClusterView& ready, uint64_t last_epoch);
  // From now on a view is told to `journal`, which outlives this, before its epoch is used.
  void Record(JournalSink& journal) { journal_ = &journal; }

  // The lanes are to serve the plan that Advance is given from now on, which extends the one that
  // they serve: they are told so with a later view, and keep what they have. Not ready until then.
  void Rebuild();

  // Looks at the servers and goes as far as replies allow. `plan` is null while there is none. An
  // error ends the job: a slot was empty for too long, or lanes cannot be built.
  StatusOr<News> Advance(const Membership& members, const TrainingPlan* plan);

  // The lanes of `view` serve.
  bool ready() const { return ready_; }
  const ClusterView& view() const { return view_; }
  // Of the view that was built last: some lane had nothing, and was restored or began afresh.
  bool was_anything_lost() const { return was_anything_lost_; }
  // What the lanes that were built last were restored from; without a folder they began afresh.
  const RestorePoint& restored_from() const { return point_; }
  uint64_t restored_rows() const { return builder_.restored_rows(); }
  RecoveryLog& recoveries() { return recoveries_; }
  const RecoveryLog& recoveries() const { return recoveries_; }

 private:
  static constexpr size_t kMaxSnapshots = 8;

  bool NoticeLosses(const Membership& members);
  Status CheckPatience(const Membership& members) const;
  void Build(const Membership& members, const TrainingPlan& plan);
  RestorePoint NewestSnapshot();

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
  bool was_ready_ = false;  // once; what is lost after that is a recovery
  // By slot: the process whose lanes have all that they should have, and the one of the view that
  // is being built; 0 for none.
  std::vector<Incarnation> whole_;
  std::vector<Incarnation> building_;
};

}  // namespace antiphon
