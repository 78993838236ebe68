// Training against lanes: pull, compute, push, retire, over the in-process transport. The steps of
// the worker and of the lanes run on one thread, so that the counter sees all of them.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "common/cluster/shard_map.h"
#include "common/net/memory_transport.h"
#include "common/net/pending_call.h"
#include "models/model_runner.h"
#include "models/parameter_schema.h"
#include "server/lane.h"
#include "server/snapshot_writer.h"
#include "tests/models/sample_job.h"
#include "tests/steady_state/allocation_counter.h"
#include "tests/support/fake_clock.h"
#include "tests/support/memory_file_system.h"
#include "worker/partition_run.h"

namespace antiphon {
namespace {

constexpr uint32_t kRows = 100;
constexpr uint32_t kLanes = 2;
// Every batch meets every piece of scratch memory before the counting begins.
constexpr size_t kBatches = 5;
constexpr Position kWarmUp = 20 * kBatches;
constexpr Position kCounted = 200;

// The same few batches over and over, up to a position; one sample for each position.
class RoundAndRoundFeed final : public BatchFeed {
 public:
  RoundAndRoundFeed(std::vector<Batch> batches, BatchPreparer preparer)
      : batches_(std::move(batches)), preparer_(std::move(preparer)) {}

  void Start(PartitionId, Position from, std::vector<Position>) override { at_ = from; }
  StatusOr<Outcome> Next(std::unique_ptr<PreparedBatch>& batch) override {
    if (at_ == pause_at_) {
      return Outcome::kNotReady;
    }
    if (free_.empty()) {
      free_.push_back(std::make_unique<PreparedBatch>());
    }
    batch = std::move(free_.back());
    free_.pop_back();
    batch->batch = batches_[at_ % batches_.size()];
    batch->batch.begin = at_;
    batch->batch.end = ++at_;
    preparer_.Prepare(*batch);
    return Outcome::kBatch;
  }
  void TakeBadRows(MetricsDelta&) override {}
  SourceReport report() const override { return {}; }
  Status Finish() override { return Status(); }
  void Recycle(std::unique_ptr<PreparedBatch> batch) override { free_.push_back(std::move(batch)); }

  void set_pause_at(Position at) { pause_at_ = at; }

 private:
  const std::vector<Batch> batches_;
  BatchPreparer preparer_;
  std::vector<std::unique_ptr<PreparedBatch>> free_;
  Position at_ = 0;
  Position pause_at_ = 0;
};

class RunnerComputer final : public StepComputer {
 public:
  explicit RunnerComputer(std::unique_ptr<ModelRunner> runner) : runner_(std::move(runner)) {}
  void Train(const StepInput& input, uint64_t seed, StepGradients& gradients,
             StepOutput& output) override {
    runner_->Train(input, seed, gradients, output);
  }
  void Score(const StepInput& input, StepOutput& output) override { runner_->Score(input, output); }

 private:
  std::unique_ptr<ModelRunner> runner_;
};

class Deaf final : public StepObserver {
 public:
  void StartRun(Partition::Kind) override {}
  void OnStep(const Batch&, const StepOutput&) override {}
  void TakeDelta(MetricsDelta&) override {}
};

class TrainingSteadyTest : public testing::Test {
 protected:
  TrainingSteadyTest() : job_(SampleJob(MmoeText())) {
    schema_ = BuildParameterSchema(job_).value();
    schema_.set_chunk_floats(2);  // many chunks, so that their bits are no short string
    view_.set_cluster_id(1);
    view_.set_epoch(1);
    view_.set_shard_count(schema_.shard_count());
    for (const LaneId lane : AssignShards(schema_.shard_count(), kLanes)) {
      view_.add_lane_of_shard(lane);
    }
    endpoint_ = transport_.Open({.name = "worker", .listen_address = ""}).value();
    rpc_ = std::make_unique<RpcNode>(*endpoint_, clock_, RpcOptions{.incarnation = 5}, nullptr);
    for (LaneId lane = 0; lane < kLanes; ++lane) {
      const std::string address = "mem://lane" + std::to_string(lane);
      view_.add_lanes()->set_address(address);
      lane_endpoints_.push_back(
          transport_.Open({.name = "lane", .listen_address = address}).value());
      lanes_.push_back(std::make_unique<Lane>(*lane_endpoints_.back(), clock_, fs_, snapshots_,
                                              LaneOptions{.incarnation = 10 + lane}));
      peers_.push_back(endpoint_->Connect(address).value());
    }
    for (LaneId lane = 0; lane < kLanes; ++lane) {
      Configure(lane);
    }
    rpc_->SetCluster(1, 1);
  }

  void Configure(LaneId lane) {
    ConfigureRequest request;
    *request.mutable_schema() = schema_;
    *request.mutable_view() = view_;
    request.set_lane(lane);
    PendingCall call(*rpc_);
    call.Start(peers_[lane], METHOD_CONFIGURE, request, {}, {});
    lanes_[lane]->Poll(Duration::zero());
    rpc_->Poll(Duration::zero());
    ConfigureReply reply;
    ASSERT_TRUE(call.ready());
    const Status configured = call.Take(reply);
    ASSERT_TRUE(configured.ok()) << configured;
  }

  std::vector<Batch> MakeBatches() const {
    std::vector<Batch> batches;
    for (uint64_t seed = 0; seed < kBatches; ++seed) {
      SampleStep step(schema_, kRows, seed);
      Rng rng(seed);
      for (SparseColumn& column : step.batch().sparse) {
        column.keys.resize(column.offsets.back());
        for (Key& key : column.keys) {
          key = rng.Below(300);
        }
      }
      batches.push_back(step.batch());
    }
    return batches;
  }

  RunContext Context(RoundAndRoundFeed& feed, StepComputer& computer, DenseMirror& dense,
                     uint32_t pull_ahead) {
    return {.rpc = *rpc_,
            .schema = schema_,
            .lanes = peers_,
            .feed = feed,
            .computer = computer,
            .dense = dense,
            .step_clock = step_clock_,
            .seed = 1,
            .pull_ahead_steps = pull_ahead};
  }

  // Until everything before `position` is in every lane.
  void RunTo(Position position, RoundAndRoundFeed& feed, PartitionRun& run) {
    feed.set_pause_at(position);
    for (Position round = 0; round < 100 + 4 * position && run.position() < position; ++round) {
      while (run.Advance()) {
      }
      for (const std::unique_ptr<Lane>& lane : lanes_) {
        lane->Poll(Duration::zero());
      }
      rpc_->Poll(Duration::zero());
    }
    ASSERT_TRUE(run.status().ok()) << run.status();
    ASSERT_EQ(run.position(), position);
  }

  const Job job_;
  ParameterSchema schema_;
  ClusterView view_;
  FakeClock clock_;
  MemoryFileSystem fs_;
  SnapshotWriter snapshots_{fs_, SnapshotWriter::Mode::kInline};
  MemoryTransport transport_{clock_};
  std::unique_ptr<Endpoint> endpoint_;
  std::unique_ptr<RpcNode> rpc_;
  std::vector<std::unique_ptr<Endpoint>> lane_endpoints_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::vector<PeerId> peers_;
  const Gemm gemm_ = Gemm::Create(GemmBackend::kEigen);
  StepClock step_clock_{clock_};
  Deaf observer_;
  uint64_t next_step_ = 1;
};

TEST_F(TrainingSteadyTest, WorkerAndLanesTakeAStepWithoutAnAllocation) {
  for (const uint32_t pull_ahead : {0U, 2U}) {
    SCOPED_TRACE(pull_ahead);
    RunnerComputer computer(ModelRunner::Create(job_, schema_, gemm_, {}).value());
    RoundAndRoundFeed feed(MakeBatches(), BatchPreparer(schema_, view_, {0, 1, 1}));
    DenseMirror dense(schema_, view_);
    RunContext context = Context(feed, computer, dense, pull_ahead);
    PartitionRun run(context, {.partition = pull_ahead, .epoch = 1, .kind = Partition::TRAIN}, 0,
                     next_step_, observer_);
    RunTo(kWarmUp, feed, run);
    const AllocationCounter counter;

    RunTo(kWarmUp + kCounted, feed, run);

    EXPECT_EQ(counter.count(), 0U);
  }
}

}  // namespace
}  // namespace antiphon
