// Session: a worker's life as the scheduler sees it: get (or make) the plan, then lease a
// partition, run it, report, and again until there is nothing left.
//
// When a server is lost, or shards have moved, the run is dropped, the session reports how far it
// was, waits for the new view and leases again: what lost lanes have to learn again is somebody's
// next lease. With the new view comes the plan: when the job was extended meanwhile, everything is
// made anew from it. While the scheduler does not answer, the run goes on, beyond its share of a
// stream too, and what was asked is asked again.
//
// A state machine on the worker's RPC thread. Poll-driven like PartitionRun: Advance does what can
// be done without waiting.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "common/net/lane_peers.h"
#include "common/net/pending_call.h"
#include "common/net/rpc.h"
#include "proto/cluster.pb.h"
#include "proto/plan.pb.h"
#include "worker/batch_feed.h"
#include "worker/dense_mirror.h"
#include "worker/partition_run.h"
#include "worker/step_computer.h"

namespace antiphon {

// What a session trains with, once it knows the plan.
struct TrainingEngine {
  std::unique_ptr<BatchFeed> feed;
  std::unique_ptr<StepComputer> computer;
  std::unique_ptr<StepObserver> observer;
  uint32_t pull_ahead_steps = 0;
  float gradient_clip_norm = 0;
};

// Makes what depends on the job; faked in protocol tests.
class EngineFactory {
 public:
  virtual ~EngineFactory() = default;
  // Reads the training data once. Only the worker that the scheduler chose is asked.
  virtual StatusOr<TrainingPlan> MakePlan() = 0;
  // `waker` ends a wait of the training thread, for feeds that read on another one.
  // The engine that was made before is gone.
  virtual StatusOr<TrainingEngine> MakeEngine(const TrainingPlan& plan, const ClusterView& view,
                                              std::shared_ptr<Waker> waker) = 0;
};

struct SessionOptions {
  PeerId scheduler = 0;
  uint32_t node = 0;  // as registered
  Duration ask_again_after = std::chrono::milliseconds(50);
  Duration report_every = std::chrono::milliseconds(500);
};

class Session {
 public:
  Session(RpcNode& rpc, Clock& clock, EngineFactory& factory, const SessionOptions& options);

  // True when something was done, so that another call may do more at once.
  bool Advance();

  // When Advance wants to be called next, even if no message comes.
  Time next_due() const { return ask_at_; }

  // The scheduler has a view of this epoch ready: if it is a newer one, the run goes by an old one
  // and so would the next lease.
  void NoteView(uint64_t epoch);

  // The worker is to leave: what is under way comes to an end and is reported, and nothing new
  // begins.
  void Drain();

  // The job is over for this worker; status() says how. kStaleEpoch: the scheduler took this
  // incarnation for dead.
  bool done() const { return state_ == State::kDone; }
  const Status& status() const { return status_; }
  uint64_t batches() const { return next_step_ - 1; }

 private:
  enum class State { kGettingPlan, kProposing, kLeasing, kRunning, kLeaving, kReporting, kDone };

  bool GetPlan();
  bool OnPlan(const GetPlanReply& reply, const Message& message);
  bool Propose();
  Status TakePlan(const Message& message);
  Status Connect(const ClusterView& view);
  Status MakeEngine(const ClusterView& view);
  bool AskAgain(const Status& status);
  void LeaveRun(const Status& why);
  bool FinishLeaving();
  void EndIfDraining();
  void SayWhatIsWaitedFor();
  bool LeaseNext();
  void OnLease(const LeaseReply& reply);
  bool Run();
  bool ReportProgress();
  void StartReport(bool run_is_done);
  bool FinishReport();
  void End(const Status& status);

  RpcNode& rpc_;
  Clock& clock_;
  EngineFactory& factory_;
  const SessionOptions options_;

  State state_ = State::kGettingPlan;
  Status status_;
  bool draining_ = false;
  PendingCall call_;    // plan and leases
  PendingCall report_;  // progress while a run goes on, then its end
  Time ask_at_{};
  Time report_at_{};
  Time say_at_{};               // what a run waits for
  bool asks_to_yield_ = false;  // the last report was made by a feed that wants to
  uint64_t report_sequence_ = 0;

  TrainingPlan plan_;
  ClusterView view_;
  LanePeers lanes_;
  TrainingEngine engine_;
  StepClock step_clock_;
  std::unique_ptr<DenseMirror> dense_;
  std::unique_ptr<RunContext> context_;  // null until there is an engine for the plan
  std::unique_ptr<PartitionRun> run_;
  Tick tick_ = 0;
  uint64_t next_step_ = 1;
};

}  // namespace antiphon
