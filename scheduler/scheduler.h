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
#include <optional>
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
#include "scheduler/job_view.h"
#include "scheduler/journal.h"
#include "scheduler/journal_summary.h"
#include "scheduler/lanes.h"
#include "scheduler/members_cast.h"
#include "scheduler/outputs.h"
#include "scheduler/rate_meter.h"
#include "scheduler/snapshot_desk.h"

namespace antiphon {

struct SchedulerOptions {
  std::string listen_address = "tcp://127.0.0.1:0";
  uint32_t servers = 1;           // the job begins when so many have registered
  uint32_t workers_expected = 1;  // for display only: workers come and go
  uint64_t cluster_id = 0;        // random, not 0; that of the journal goes before it
  // Where the scheduler notes what it must know after its own death; when the file is there, the
  // job goes on where its last scheduler stood. Empty: its death is the job's.
  std::string journal_path;
  std::string snapshot_dir;  // empty: no snapshot at the end
  std::string restore_dir;   // a snapshot, or a folder of snapshots; empty: start afresh
  // A finished cluster goes on to answer ps_ctl until it is stopped.
  bool linger = false;
  Duration heartbeat = std::chrono::milliseconds(500);
  Duration dead_after = std::chrono::milliseconds(2500);
  // A server that is gone must be replaced by then.
  Duration server_down_timeout = std::chrono::seconds(60);
  // After a restart nobody is declared dead for so long: connections come back one by one.
  Duration restart_grace = std::chrono::seconds(5);
  Duration failure_linger = std::chrono::seconds(2);
  Duration finish_wait = std::chrono::seconds(3);
  OutputOptions outputs;
};

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
  Status AnswerSnapshot(Request& request);
  // Snapshots and stops are for ps_ctl, which is no node of the job.
  Status CheckControl(const Request& request) const;

  void Advance(Time now);
  void AdvanceCluster();
  void OnLost();
  void OnReady();
  void AdvanceSnapshot();
  void AdvanceEnd(Time now);
  void Fail(const Status& why);
  JobView View(Time now) const;

  const SchedulerOptions options_;
  FileSystem& fs_;
  Clock& clock_;
  const std::unique_ptr<Endpoint> endpoint_;
  RpcNode rpc_;  // outlives what makes calls with it
  const Time started_;
  const std::unique_ptr<Journal> journal_;  // null: none is kept

  Conductor job_;
  Lanes lanes_;
  ClusterKeeper cluster_;
  MembersCast members_cast_;
  SnapshotDesk snapshots_;
  Outputs outputs_;
  RateMeter rate_;

  std::optional<ReplyAddress> snapshot_asker_;  // of the round that runs
  std::optional<ReplyAddress> last_asker_;      // of the round that ended last
  bool final_snapshot_began_ = false;
  bool outputs_ended_ = false;
};

}  // namespace antiphon
