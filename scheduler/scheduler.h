// Scheduler: the one process that knows who takes part in a job and how far it is.
//
// It listens for servers, workers and ps_ctl; has lanes configured once all servers are there and a
// worker has proposed the plan, and again those of a server that was lost; leases partitions, keeps
// the clock of BSP and SSP, adds up metrics, has snapshots written, and tells everybody when the
// job has ended. Nothing on the way of a sample waits for it.
//
// Owned by one thread, which calls Poll until it returns false. SchedulerThread
// (scheduler_thread.h) is that thread for those who do not have one; a simulation calls Poll
// itself.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/file_system.h"
#include "common/base/status.h"
#include "common/net/rpc.h"
#include "common/net/transport.h"
#include "proto/cluster.pb.h"
#include "proto/snapshot.pb.h"
#include "scheduler/cluster_keeper.h"
#include "scheduler/conductor.h"
#include "scheduler/control_desk.h"
#include "scheduler/job_view.h"
#include "scheduler/journal.h"
#include "scheduler/journal_summary.h"
#include "scheduler/lanes.h"
#include "scheduler/members_cast.h"
#include "scheduler/outputs.h"
#include "scheduler/rate_meter.h"
#include "scheduler/scheduler_options.h"
#include "scheduler/snapshot_desk.h"

namespace antiphon {

class Scheduler final : private RequestHandler {
 public:
  // Listens, and reads the manifest of the snapshot to restore. Errors say what is wrong with an
  // address, a folder or a snapshot before anybody is kept waiting.
  static StatusOr<std::unique_ptr<Scheduler>> Create(const SchedulerOptions& given,
                                                     Transport& transport, FileSystem& fs,
                                                     Clock& clock);

  // Where nodes reach it, with the port filled in.
  const std::string& address() const { return endpoint_->address(); }

  // Receives for up to `timeout`, then does what time asks for. False once the scheduler is over:
  // the job has ended and every node has been told, or had its time to be.
  bool Poll(Duration timeout);

  // Ends the job, as `ps_ctl stop` does.
  void RequestStop();

  JobState state() const { return job_.lifecycle().state(); }
  // Once the job has ended: Ok, why it failed, or kCancelled when it was stopped before its end.
  // A report that could not be written is an error too.
  Status result() const;

  ClusterStatus status(const StatusRequest& request = {}) const;

  // Ends a Poll that waits; any thread may use it.
  std::shared_ptr<Waker> waker() const { return endpoint_->waker(); }

 private:
  Scheduler(const SchedulerOptions& options, std::unique_ptr<Endpoint> endpoint,
            RestorePoint restored, std::unique_ptr<Journal> journal, FileSystem& fs, Clock& clock);
  // Becomes what the schedulers of these records were, and notes that it did.
  Status GoOn(const std::vector<JournalRecord>& records, const JournalSummary& before);
  void Note(JournalRecord record);

  void OnRequest(Request& request) override;
  Status Answer(Request& request);
  Status AnswerNode(Request& request);
  Status AnswerPlan(Request& request);
  Status AnswerReport(Request& request);
  Status AnswerStatus(const Request& request);

  void Advance(Time now);
  void AdvanceExtension();
  void AdvanceCluster();
  void OnLost();
  void OnReady();
  void AdvanceSnapshot();
  void AdvanceEnd(Time now);
  void ThinJournal();
  void Fail(const Status& why);
  JobView View(Time now) const;

  const SchedulerOptions options_;
  FileSystem& fs_;
  Clock& clock_;
  const std::unique_ptr<Endpoint> endpoint_;
  RpcNode rpc_;  // outlives what makes calls with it
  const Time started_;
  const std::unique_ptr<Journal> journal_;  // null: none is kept
  uint64_t thin_journal_at_;                // bytes

  Conductor job_;
  Lanes lanes_;
  ClusterKeeper cluster_;
  MembersCast members_cast_;
  SnapshotDesk snapshots_;
  ControlDesk control_;
  Outputs outputs_;
  RateMeter rate_;

  uint64_t seated_epoch_ = 0;    // of the newest view whose servers the members know to be needed
  bool moves_by_round_ = false;  // shards wait for the round that is under way
  bool final_snapshot_began_ = false;
  bool outputs_ended_ = false;
};

}  // namespace antiphon
