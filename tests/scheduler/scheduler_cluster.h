// SchedulerCluster: a scheduler with fake lanes and hand-driven workers on one thread, over the
// in-memory transport and a clock that stands still until it is moved.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "common/net/memory_transport.h"
#include "proto/metrics.pb.h"
#include "scheduler/scheduler.h"
#include "tests/support/asker.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_lane.h"
#include "tests/support/memory_file_system.h"

namespace antiphon {

// Two epochs: two partitions of 100 samples and one evaluation of 20 in each.
inline TrainingPlan SmallPlan() {
  TrainingPlan plan;
  plan.set_job_name("small");
  plan.set_job_digest(7);
  plan.add_tasks("click");
  plan.set_max_staleness(0);
  ParameterSchema& schema = *plan.mutable_schema();
  schema.set_shard_count(8);
  schema.set_chunk_floats(64);
  TableSpec& table = *schema.add_tables();
  table.set_name("user");
  table.set_dim(4);
  for (uint32_t epoch = 0; epoch < 2; ++epoch) {
    for (int i = 0; i < 3; ++i) {
      Partition& partition = *plan.add_partitions();
      partition.set_kind(i < 2 ? Partition::TRAIN : Partition::EVAL);
      partition.set_stage(2 * epoch + (i < 2 ? 0 : 1));
      partition.set_epoch(epoch);
      partition.set_begin_record(0);
      partition.set_end_record(i < 2 ? 100 : 20);
    }
  }
  return plan;
}

// `positives` of `count` labels are 1, and the higher half of the logits belongs to them.
inline MetricsDelta ClickDelta(uint64_t count, uint64_t positives) {
  MetricsDelta delta;
  delta.set_samples(count);
  RankingMetrics metrics;
  for (uint64_t i = 0; i < count; ++i) {
    metrics.Add(static_cast<float>(i) / static_cast<float>(count), i >= count - positives);
  }
  metrics.ToProto(*delta.add_tasks());
  return delta;
}

class SchedulerCluster {
 public:
  static constexpr Incarnation kServer = 100;

  explicit SchedulerCluster(const SchedulerOptions& options = {}) : transport_(clock_) {
    SetOptions(options);
  }

  // Before Start.
  void SetOptions(SchedulerOptions options) {
    options.listen_address = "mem://scheduler";
    options.servers = 2;
    options.cluster_id = 77;
    options.outputs.progress = &progress_;
    options_ = options;
  }

  Status Start() {
    auto scheduler = Scheduler::Create(options_, transport_, fs_, clock_);
    if (!scheduler.ok()) {
      return scheduler.status();
    }
    scheduler_ = std::move(*scheduler);
    return Status();
  }

  // Lets everybody talk for `time`, with a heartbeat of each node a half second.
  void Run(Duration time) {
    const Time until = clock_.Now() + time;
    while (over_ == false && clock_.Now() < until) {
      for (auto& [incarnation, asker] : nodes_) {
        if (clock_.Now() >= next_beat_ && !silent_.contains(incarnation)) {
          HeartbeatRequest beat;
          Beat(incarnation).Send(METHOD_HEARTBEAT, beat);
        }
      }
      if (clock_.Now() >= next_beat_) {
        next_beat_ = clock_.Now() + std::chrono::milliseconds(500);
      }
      PollAll();
      clock_.Advance(std::chrono::milliseconds(10));
    }
  }

  // The scheduler dies; Start begins another one.
  void Kill() {
    transport_.Kill("scheduler");
    scheduler_.reset();
  }

  // One question to the scheduler and its answer.
  template <typename Reply>
  StatusOr<Reply> Ask(Incarnation who, Method method, const google::protobuf::MessageLite& meta,
                      const std::vector<Buffer>& bulk = {}) {
    Asker& asker = Node(who);
    asker.Send(method, meta, bulk);
    for (int i = 0; i < 200 && !asker.answered(); ++i) {
      PollAll();
      clock_.Advance(std::chrono::milliseconds(1));
    }
    if (!asker.answered()) {
      return DeadlineExceededError("no answer from the scheduler");
    }
    if (!asker.status().ok()) {
      return asker.status();
    }
    Reply reply;
    if (const Status status = ParseMeta(asker.reply(), reply); !status.ok()) {
      return status;
    }
    return reply;
  }

  // A question whose answer is looked at later.
  void AskLater(Incarnation who, Method method, const google::protobuf::MessageLite& meta,
                const std::vector<Buffer>& bulk = {}) {
    Node(who).Send(method, meta, bulk);
  }
  Status StatusOfAsked(Incarnation who) {
    return Node(who).answered() ? Node(who).status() : UnavailableError("not answered");
  }

  StatusOr<RegisterReply> RegisterServer(uint32_t number, RegisterRequest request = {}) {
    request.set_role(ROLE_SERVER);
    request.set_pid(1000 + number);
    const std::string address = "mem://lane" + std::to_string(number);
    request.add_lane_addresses(address);
    lanes_.push_back(std::make_unique<FakeLane>(transport_, clock_, address, kServer + number));
    return Ask<RegisterReply>(kServer + number, METHOD_REGISTER, request);
  }

  StatusOr<RegisterReply> RegisterWorker(Incarnation who, uint64_t digest = 7) {
    RegisterRequest request;
    request.set_role(ROLE_WORKER);
    request.set_job_digest(digest);
    return Ask<RegisterReply>(who, METHOD_REGISTER, request);
  }

  StatusOr<ProposePlanReply> Propose(Incarnation who, const TrainingPlan& plan) {
    return Ask<ProposePlanReply>(who, METHOD_PROPOSE_PLAN, ProposePlanRequest(),
                                 {Buffer::Copy(plan.SerializeAsString())});
  }

  // Servers, workers 1 and 2, the plan; then the lanes are configured.
  void Build(const TrainingPlan& plan = SmallPlan()) {
    ASSERT_TRUE(RegisterServer(0).ok());
    ASSERT_TRUE(RegisterServer(1).ok());
    ASSERT_TRUE(RegisterWorker(1).ok());
    ASSERT_TRUE(RegisterWorker(2).ok());
    ASSERT_TRUE(Ask<GetPlanReply>(1, METHOD_GET_PLAN, GetPlanRequest()).ok());
    ASSERT_TRUE(Propose(1, plan).ok());
    Run(std::chrono::milliseconds(50));
  }

  StatusOr<LeaseReply> LeaseTo(Incarnation who, Tick tick = 0) {
    LeaseRequest request;
    request.set_tick(tick);
    Node(who).GoBy(options_.cluster_id, scheduler_->status().view().epoch());
    return Ask<LeaseReply>(who, METHOD_LEASE, request);
  }

  StatusOr<ReportReply> Report(Incarnation who, const LeaseReply& lease, uint64_t position,
                               bool done, uint64_t sequence,
                               const MetricsDelta& delta = MetricsDelta()) {
    ReportRequest request;
    request.set_sequence(sequence);
    request.set_partition(lease.partition());
    request.set_lease_epoch(lease.lease_epoch());
    request.set_position(position);
    request.set_done(done);
    request.set_tick(static_cast<int64_t>(position));
    return Ask<ReportReply>(who, METHOD_REPORT, request, {Buffer::Copy(delta.SerializeAsString())});
  }

  // Worker `who` takes leases and finishes them until it is told something else.
  LeaseReply::Action RunLeases(Incarnation who, int limit = 100) {
    for (int i = 0; i < limit; ++i) {
      const StatusOr<LeaseReply> lease = LeaseTo(who);
      if (!lease.ok()) {
        ADD_FAILURE() << lease.status();
        return LeaseReply::WAIT;
      }
      if (lease->action() == LeaseReply::WAIT || lease->action() == LeaseReply::FINISHED) {
        return lease->action();
      }
      const bool trains = lease->action() == LeaseReply::TRAIN;
      const auto report = Report(who, *lease, trains ? 100 : 20, true, ++sequence_,
                                 trains ? ClickDelta(100, 30) : ClickDelta(20, 5));
      EXPECT_TRUE(report.ok()) << report.status();
      EXPECT_FALSE(report.ok() && report->revoked());
    }
    return LeaseReply::WAIT;
  }

  void Silence(Incarnation who) { silent_[who] = true; }

  // The scheduler first: what it says last is heard.
  void PollAll() {
    over_ = scheduler_ != nullptr && !scheduler_->Poll(Duration::zero());
    for (auto& lane : lanes_) {
      lane->Poll();
    }
    for (auto& [incarnation, asker] : nodes_) {
      asker->Poll();
    }
    for (auto& [incarnation, asker] : beats_) {
      asker->Poll();
    }
  }

  // The last answer to a heartbeat of this node.
  StatusOr<HeartbeatReply> LastBeat(Incarnation who) {
    Asker& asker = Beat(who);
    if (!asker.answered()) {
      return UnavailableError("no heartbeat was answered");
    }
    if (!asker.status().ok()) {
      return asker.status();
    }
    HeartbeatReply reply;
    const Status status = ParseMeta(asker.reply(), reply);
    return status.ok() ? StatusOr<HeartbeatReply>(reply) : StatusOr<HeartbeatReply>(status);
  }

  Scheduler& scheduler() { return *scheduler_; }
  bool over() const { return over_; }
  FakeLane& lane(size_t index) { return *lanes_[index]; }
  MemoryFileSystem& fs() { return fs_; }
  FakeClock& clock() { return clock_; }
  std::string progress() const { return progress_.str(); }

 private:
  Asker& Node(Incarnation who) { return AskerOf(nodes_, who, "node"); }
  Asker& Beat(Incarnation who) { return AskerOf(beats_, who, "beat"); }
  Asker& AskerOf(std::map<Incarnation, std::unique_ptr<Asker>>& askers, Incarnation who,
                 const std::string& kind) {
    std::unique_ptr<Asker>& asker = askers[who];
    if (asker == nullptr) {
      asker = std::make_unique<Asker>(transport_, clock_, kind + std::to_string(who),
                                      "mem://scheduler", who);
    }
    return *asker;
  }

  FakeClock clock_;
  MemoryTransport transport_;
  MemoryFileSystem fs_;
  std::ostringstream progress_;
  SchedulerOptions options_;
  std::unique_ptr<Scheduler> scheduler_;
  std::vector<std::unique_ptr<FakeLane>> lanes_;
  std::map<Incarnation, std::unique_ptr<Asker>> nodes_;
  std::map<Incarnation, std::unique_ptr<Asker>> beats_;
  std::map<Incarnation, bool> silent_;
  Time next_beat_;
  uint64_t sequence_ = 1000;
  bool over_ = false;
};

}  // namespace antiphon
