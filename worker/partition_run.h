// PartitionRun: trains (or evaluates) one leased partition, batch by batch, in order.
//
// A state machine on the worker's RPC thread: Advance goes as far as it can without waiting, and
// replies that arrive through RpcNode::Poll let the next Advance go further. For each batch it
// pulls from every lane, computes, and pushes to every lane; pulls of later batches may be under
// way meanwhile, and pushes are retired in order once every lane has them.
//
//   open at all lanes -> [ read -> pull -> compute -> push -> retire ]* -> done
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/ring_queue.h"
#include "common/base/status.h"
#include "common/net/rpc.h"
#include "proto/cluster.pb.h"
#include "proto/plan.pb.h"
#include "worker/batch_feed.h"
#include "worker/dense_mirror.h"
#include "worker/lane_step.h"
#include "worker/step_clock.h"
#include "worker/step_computer.h"
#include "worker/step_observer.h"

namespace antiphon {

// What every run of a worker works with; outlives them.
struct RunContext {
  RpcNode& rpc;
  const ParameterSchema& schema;
  std::vector<PeerId> lanes;
  BatchFeed& feed;
  StepComputer& computer;
  DenseMirror& dense;
  StepClock& step_clock;
  uint64_t seed = 0;
  uint32_t pull_ahead_steps = 0;
  float gradient_clip_norm = 0;
};

// The lease that a run works under.
struct HeldLease {
  PartitionId partition = 0;
  uint64_t epoch = 0;
  Partition::Kind kind = Partition::TRAIN;
  // The samples before it were measured already, by this worker or another: they are trained again
  // for the lanes that lost them, and not shown to the observer.
  Position measured_through = 0;
};

// The answer of a lane that the run waits for longest.
struct LaneWait {
  LaneId lane = 0;
  Time since;
  Status failure;  // of the last attempt to ask, if it could not even be sent
};

class PartitionRun {
 public:
  // `tick` is where the worker's step count stands; `next_step` names pulls and is unique for the
  // worker's whole life.
  PartitionRun(RunContext& context, const HeldLease& lease, Tick tick, uint64_t& next_step,
               StepObserver& observer);
  ~PartitionRun();
  PartitionRun(const PartitionRun&) = delete;
  PartitionRun& operator=(const PartitionRun&) = delete;

  // True when something was done, so that another call may do more.
  bool Advance();

  // No further batch is begun; the run is done when those that were begun are.
  void Stop();
  // It ended for that, with more to come in the partition.
  bool stopped() const { return stopped_; }

  // Every batch has been applied by every lane, or the run failed.
  bool done() const { return done_; }
  const Status& status() const { return status_; }
  // The run failed because of a lane that was lost, or that goes by another lease or view: what it
  // had to do is done under a new lease. Any other failure ends the worker.
  bool superseded() const { return superseded_; }

  // What the run waits for when Advance has nothing to do.
  StepClock::Activity waits_for() const {
    return uncomputed_ == 0 && steps_.size() < kMaxUnretiredSteps ? StepClock::Activity::kReadWait
                                                                  : StepClock::Activity::kLaneWait;
  }

  const HeldLease& lease() const { return lease_; }
  Tick tick() const { return tick_; }
  // All samples before it are in every lane (or, in evaluation, scored).
  Position position() const { return position_; }
  // All samples before it have been shown to an observer.
  Position measured_through() const { return measured_through_; }
  std::optional<LaneWait> LongestWait();
  // How many these are, over all leases of the partition.
  uint64_t records() const { return records_; }
  // The run is done and the partition is not.
  bool yielded() const { return yielded_; }
  // The latest event time of a sample that was trained; 0: none had one.
  int64_t newest_event_ms() const { return newest_event_ms_; }

 private:
  // Pushes that may be under way while the worker goes on: enough to hide a round trip, few enough
  // to keep memory and staleness small.
  static constexpr size_t kMaxUnretiredSteps = 4;

  // One lane's answer to the opening of the partition.
  class Opening;
  // A batch on its way.
  struct Step {
    uint64_t id = 0;
    std::unique_ptr<PreparedBatch> batch;
    std::vector<std::unique_ptr<LaneStep>> lanes;
    bool computed = false;
  };

  void Open();
  bool AdvanceOpening();
  bool RetireSteps();
  void Retire(std::unique_ptr<Step> step);
  bool StartPulls();
  bool ComputeNext();
  void PullStep(Step& step);
  void FillInput(Step& step, StepInput& input);
  bool ApplyReplies(Step& step);
  void PushStep(Step& step);
  std::unique_ptr<Step> NewStep();
  void ReleaseStep(std::unique_ptr<Step> step);
  void Fail(const Status& status);
  void FailAtLane(const Status& status);
  bool training() const { return lease_.kind == Partition::TRAIN; }

  RunContext& context_;
  const HeldLease lease_;
  Tick tick_;
  uint64_t& next_step_;
  StepObserver& observer_;

  std::vector<std::unique_ptr<Opening>> openings_;
  bool opened_ = false;
  bool feed_ended_ = false;
  bool done_ = false;
  bool yielded_ = false;
  bool stopped_ = false;
  Status status_;
  bool superseded_ = false;
  Position position_ = 0;
  Position measured_through_ = 0;
  uint64_t records_ = 0;
  int64_t newest_event_ms_ = 0;

  RingQueue<std::unique_ptr<Step>> steps_;  // in order of position
  std::vector<std::unique_ptr<Step>> free_steps_;
  size_t uncomputed_ = 0;  // at the back of steps_

  // Scratch of a step, reused.
  PullRequest pull_;
  PushRequest push_;
  StepGradients gradients_;
  StepOutput output_;
  std::vector<std::vector<float>> table_rows_;
  std::vector<std::span<const float>> table_row_views_;
  std::string chunk_bits_;
};

}  // namespace antiphon
