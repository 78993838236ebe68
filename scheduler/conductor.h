// Conductor: the scheduler's rules in one place: what each message of a node does, and its answer.
//
// Composes the state machines (membership, plan, leases, clock, metrics, lifecycle) and knows
// neither threads, sockets nor files; `now` is passed in. An error is the answer to the sender.
//
// Every change is told to the journal before it is answered, and Replay makes the same change again
// in a conductor that comes after this one. Heartbeats are no change. Owned by the scheduler's
// thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "common/base/types.h"
#include "proto/cluster.pb.h"
#include "proto/metrics.pb.h"
#include "scheduler/clock_group.h"
#include "scheduler/journal.h"
#include "scheduler/lease_book.h"
#include "scheduler/lifecycle.h"
#include "scheduler/membership.h"
#include "scheduler/metrics_board.h"
#include "scheduler/plan_desk.h"
#include "scheduler/sample_age_log.h"
#include "scheduler/sequence_window.h"

namespace antiphon {

struct ConductorOptions {
  MembershipOptions membership;
  LifecycleOptions lifecycle;
  uint64_t cluster_id = 0;
  Duration heartbeat = std::chrono::milliseconds(500);
};

class Conductor {
 public:
  explicit Conductor(const ConductorOptions& options);

  StatusOr<RegisterReply> Register(const RegisterRequest& request, Incarnation sender, Time now);
  // `request_id` is that of the message: a repeated heartbeat has the same one again.
  StatusOr<HeartbeatReply> Heartbeat(HeartbeatRequest& request, Incarnation sender,
                                     uint64_t request_id, Time now);
  // `view` is null until the lanes are ready; the caller adds the plan's bytes when it is not.
  StatusOr<GetPlanReply> GetPlan(Incarnation sender, const ClusterView* view, Time now);
  // Before any proposal: the plan of the snapshot that the job goes on from.
  void ContinueFrom(const TrainingPlan& snapshot) { plan_desk_.ContinueFrom(snapshot); }
  Status ProposePlan(const Buffer& bytes, Incarnation sender, Time now);
  // The plan of the running job as it shall be; it is so after the next Ready. Nothing when it is
  // so already or on its way.
  Status Extend(const Buffer& bytes);
  StatusOr<LeaseReply> Lease(const LeaseRequest& request, Incarnation sender, Time now);
  // `view_epoch` is that of the view which the sender goes by: what it measured may be told by the
  // tasks and scenes of a plan before the last extension.
  StatusOr<ReportReply> Report(const ReportRequest& request, const MetricsDelta& measured,
                               Incarnation sender, uint64_t view_epoch, Time now);

  // The node is to leave; see Membership::Drain.
  Status Drain(const DrainRequest& request);
  // Servers whose place nobody took within `patience` are given up, if others can have their
  // shards.
  void GiveUpLost(Duration patience, Time now);
  // A view with these servers is about to be built; see Membership::Seat.
  void Seat(const ClusterView& view) { members_.Seat(view); }

  // A lane is lost, or lanes are about to go by another view: no lease is given out until Ready.
  void Suspend() { suspended_ = true; }
  // The lanes of `view` serve: leases may be given out. The first time, `kept` is the progress of a
  // restored snapshot, empty without one; later it is where a snapshot stood that lost lanes were
  // put back to, and every lease is over. Where the plan was extended and no lane is another one,
  // leases stay: whoever holds one goes on with it, under the extended plan.
  void Ready(const ClusterView& view, const std::vector<PartitionProgress>& kept);

  // Declares dead who is silent and draws the consequences.
  void Sweep(Time now);

  // Makes a change that was noted at `then`; nothing for records that are none of the conductor's.
  Status Replay(const JournalRecord& record, Time then);
  // This is the epoch-th scheduler of its journal, and says so to nodes, which do not listen to
  // earlier ones any more. Lanes believe it rather than those what it says of the clock's members.
  void OutrankSchedulersBefore(uint64_t epoch);
  // All records are replayed: nobody is silent before `grace_until`.
  void GoOn(Time grace_until) { members_.Forgive(grace_until); }
  // What takes the place of all leases and reports so far, and of what they measured, for Replay.
  // Only once there is a book.
  std::vector<JournalRecord> Sums(Time now) const;
  // From now on changes are told to `journal`, which outlives this.
  void Record(JournalSink& journal) { journal_ = &journal; }

  const Membership& members() const { return members_; }
  const PlanDesk& plan_desk() const { return plan_desk_; }
  const ClockGroup& clock() const { return clock_; }
  Lifecycle& lifecycle() { return lifecycle_; }
  const Lifecycle& lifecycle() const { return lifecycle_; }
  // Null before Begin.
  const LeaseBook* book() const { return book_.get(); }
  const MetricsBoard* metrics() const { return metrics_.get(); }
  SampleAgeLog& sample_ages() { return sample_ages_; }
  // Every partition is done, and no lane has lost any of it.
  bool complete() const {
    return book_ != nullptr && !suspended_ && !plan_desk_.is_extending() && book_->finished();
  }

  // From the first lease of a training partition to the end of the last one, or to `now`.
  double TrainingSeconds(Time now) const;
  uint64_t SamplesOf(Incarnation worker) const;
  // The last that was heard of each open-ended partition.
  struct HeardOfStream {
    StreamReport report;
    Time at{};
  };
  const std::map<PartitionId, HeardOfStream>& streams() const { return streams_; }

 private:
  // What the scheduler remembers of a worker beyond its membership.
  struct WorkerRecord {
    SequenceWindow reports;
    uint64_t samples = 0;
  };

  // The plan until the view of this epoch.
  struct EarlierPlan {
    uint64_t until_epoch = 0;
    std::shared_ptr<const TrainingPlan> plan;
  };

  void Begin(const std::vector<PartitionProgress>& resume);
  void Rewind(const std::vector<PartitionProgress>& kept);
  void FinishExtension(uint64_t view_epoch);
  Status MoveToPlan(uint64_t view_epoch, MetricsDelta& delta) const;
  StatusOr<RegisterReply> RegisterNode(const RegisterRequest& request, Incarnation sender, Time now,
                                       Joining joining);
  StatusOr<Node*> HearWorker(Incarnation sender, Time now);
  Status ApplyReport(const ReportRequest& request, const MetricsDelta& delta, Incarnation sender,
                     Time now);
  void EndStages(size_t stages_before);
  void NodeGone(const Node& node, const std::string& how);
  void Note(JournalRecord record);
  void ReplayEnd(const JournalEnd& end, Time then);
  LeasesState SaveLeases(Time now) const;
  Status LoadLeases(const LeasesState& state, Time then);
  void WorkerGone(const Node& worker);

  ConductorOptions options_;
  Membership members_;
  PlanDesk plan_desk_;
  ClockGroup clock_;
  Lifecycle lifecycle_;
  std::unique_ptr<LeaseBook> book_;
  std::unique_ptr<MetricsBoard> metrics_;
  SampleAgeLog sample_ages_;
  ClusterView ready_view_;  // the last one
  std::vector<EarlierPlan> earlier_plans_;
  std::map<Incarnation, WorkerRecord> workers_;
  JournalSink* journal_ = nullptr;
  std::set<size_t> closed_;  // evaluation stages, by ordinal, whose numbers are known
  bool suspended_ = false;
  uint64_t scheduler_epoch_ = 0;  // 0: there is no journal to count by
  std::map<PartitionId, HeardOfStream> streams_;
  std::optional<Time> training_began_;
  std::optional<Time> training_ended_;
};

}  // namespace antiphon
