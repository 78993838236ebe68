// SnapshotDesk: which snapshots a job makes: by its clock, on request and at its end; which of them
// are kept; and how the last ones went.
//
// One round at a time (scheduler/snapshot_round.h). A round that fails leaves everything older as
// it was and is said in the status; the next one is tried when it is due, and is a full one. After
// a good round, chains that are too old and what failed rounds left behind are removed.
// Poll-driven; owned by the scheduler's thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/base/clock.h"
#include "common/base/file_system.h"
#include "common/base/status.h"
#include "proto/cluster.pb.h"
#include "proto/plan.pb.h"
#include "scheduler/lanes.h"
#include "scheduler/lease_book.h"
#include "scheduler/sample_age_log.h"
#include "scheduler/snapshot_round.h"
#include "scheduler/snapshot_schedule.h"

namespace antiphon {

class SnapshotDesk {
 public:
  // `directory` is the cluster's own, or empty.
  SnapshotDesk(Lanes& lanes, FileSystem& fs, Clock& clock, SampleAgeLog& sample_ages,
               std::string directory)
      : fs_(fs),
        clock_(clock),
        sample_ages_(sample_ages),
        directory_(std::move(directory)),
        round_(lanes, fs, clock, sample_ages) {}

  // kInvalidArgument: the plan wants snapshots and there is no folder for them.
  Status CheckPolicy(const TrainingPlan& plan) const;

  // A snapshot that a scheduler before this one has committed.
  void Recall(const SnapshotReply& committed, int64_t wall_seconds);

  // The wall time at which the newest snapshot began that tells how old its samples are: what was
  // trained before it counts no more. One that was asked for elsewhere is none of these, so that
  // whoever follows the cluster's own folder hears of every sample. 0: there is none.
  int64_t CutSeconds() const;

  // A full snapshot now; an empty directory stands for the cluster's own. kFailedPrecondition while
  // a round is under way.
  Status Start(const std::string& directory, const LeaseBook& book);

  // One that brings shards to other lanes: what changed since the last, if lanes know that.
  Status StartForMove(const LeaseBook& book);

  // Goes on with the round, or begins one that is due, if it may: the first call starts the
  // clock. True when a round has just ended: result() says how.
  bool Advance(const MetricsBoard& metrics, uint64_t cluster_id, const LeaseBook& book,
               bool may_begin);

  // The round that runs, if any, cannot end well: the next Advance says so.
  void Abort(const Status& why) { round_.Abort(why); }

  // The model has got larger, or lanes have other shards: a delta would be one of something else,
  // so the next round is a full one.
  void OnOtherLanes() { schedule_.Failed(); }

  bool active() const { return round_.active(); }
  const StatusOr<SnapshotReply>& result() const { return round_.result(); }
  // The folder of the newest that was committed since the start; empty: none. ReadChain reads it
  // with what it grows from.
  const std::string& last_folder() const { return last_.directory(); }

  void Describe(ClusterStatus* status) const;

 private:
  Status StartRound(const std::string& directory, const LeaseBook& book,
                    const SnapshotLink* predecessor);
  void EndRound();
  void NoteFailure(const Status& why);
  void RemoveOutdated();

  FileSystem& fs_;
  Clock& clock_;
  SampleAgeLog& sample_ages_;
  const std::string directory_;
  SnapshotRound round_;
  SnapshotSchedule schedule_;
  bool begun_ = false;
  SnapshotPolicy policy_;
  std::string round_directory_;  // of the round that began last
  SnapshotReply last_;           // the newest that was committed
  int64_t last_seconds_ = 0;
  // The newest of the cluster's own folder, and when it was committed.
  std::string own_folder_;
  int64_t own_seconds_ = 0;
  // Since the last good one.
  uint32_t failures_ = 0;
  Status failure_;
  int64_t failing_since_ = 0;
};

}  // namespace antiphon
