// SnapshotRound: all lanes write their files, then the manifest makes them a snapshot.
//
// One round at a time. Nothing older is touched: when a round fails, its folder stays without a
// manifest and is no snapshot. Poll-driven; owned by the scheduler's thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/file_system.h"
#include "common/base/status.h"
#include "common/ckpt/snapshot_chain.h"
#include "proto/cluster.pb.h"
#include "proto/plan.pb.h"
#include "proto/snapshot.pb.h"
#include "scheduler/lanes.h"
#include "scheduler/lease_book.h"
#include "scheduler/metrics_board.h"
#include "scheduler/sample_age_log.h"

namespace antiphon {

class SnapshotRound {
 public:
  SnapshotRound(Lanes& lanes, FileSystem& fs, Clock& clock, SampleAgeLog& sample_ages)
      : lanes_(lanes), fs_(fs), clock_(clock), sample_ages_(sample_ages) {}

  // Makes the folder and asks every lane that has shards, for what changed since `predecessor`, or,
  // without one, for everything. kFailedPrecondition while a round is under way.
  Status Start(const std::string& directory, const LeaseBook& book,
               const SnapshotLink* predecessor);

  // Commits once all lanes have written, with the plan and the verdict of `metrics`. True when the
  // round has just ended: result() says how.
  bool Advance(const MetricsBoard& metrics, uint64_t cluster_id, const LeaseBook& book);

  // Gives the round up: a lane is gone, or the partitions were rewound. Nothing while none is
  // under way; otherwise the next Advance says that the round has ended, with `why`.
  void Abort(const Status& why);

  bool active() const { return round_ != nullptr; }
  const StatusOr<SnapshotReply>& result() const { return result_; }
  // What was committed last, once result() is well.
  const SnapshotLink& link() const { return link_; }

 private:
  StatusOr<uint64_t> NextVersion(const std::string& directory);
  StatusOr<SnapshotReply> Commit(const MetricsBoard& metrics, uint64_t cluster_id,
                                 const LeaseBook& book);

  Lanes& lanes_;
  FileSystem& fs_;
  Clock& clock_;
  SampleAgeLog& sample_ages_;
  std::unique_ptr<LaneRound> round_;
  std::vector<LaneId> asked_;
  Status aborted_;
  std::string folder_;
  uint64_t version_ = 0;
  std::optional<SnapshotLink> predecessor_;
  SnapshotLink link_;
  // When the round began, and how old the samples were then.
  int64_t cut_ms_ = 0;
  AgeHistogram ages_;
  // What every file holds: where each partition stood before any lane began.
  std::vector<LeaseBook::Entry> before_;
  StatusOr<SnapshotReply> result_ = SnapshotReply();
};

}  // namespace antiphon
