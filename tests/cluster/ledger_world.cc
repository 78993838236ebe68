#include "tests/cluster/ledger_world.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "common/base/logging.h"
#include "common/cluster/shard_map.h"
#include "common/math/ranking_metrics.h"
#include "common/net/pending_call.h"
#include "common/net/scheduler_link.h"
#include "server/lane.h"
#include "tests/worker/counting_feed.h"
#include "worker/session.h"

namespace antiphon {
namespace {

using namespace std::chrono_literals;

// Longer than any run needs; a run that is not over by then hangs.
constexpr Duration kPatience = 30min;
constexpr std::string_view kSchedulerAddress = "mem://scheduler";

Key KeyOf(PartitionId partition, Position position) {
  return (uint64_t{partition} + 1) << 32 | position;
}

// The gradient of every key is -1, and the table learns by plain SGD at rate 1.
class LedgerComputer final : public StepComputer {
 public:
  void Train(const StepInput& input, uint64_t, StepGradients& gradients, StepOutput&) override {
    gradients.tables.assign(input.table_rows.size(), {});
    gradients.tables[0].assign(input.table_rows[0].size(), -1.0F);
    gradients.block_present.assign(input.blocks.size(), 0);
    gradients.blocks.assign(input.blocks.size(), {});
  }
  void Score(const StepInput&, StepOutput&) override {}
};

// Measures every sample as one of task "count", wherever that stands in the plan.
class CountingObserver final : public StepObserver {
 public:
  explicit CountingObserver(const TrainingPlan& plan) {
    while (plan.tasks(task_) != "count") {
      ++task_;
    }
  }
  void StartRun(Partition::Kind) override {}
  void OnStep(const Batch& batch, const StepOutput&) override {
    for (uint32_t row = 0; row < batch.rows; ++row) {
      metrics_.Add(0, row % 2 == 0);
    }
  }
  void TakeDelta(MetricsDelta& delta) override {
    TaskMetrics& task = *delta.add_tasks();
    task.set_task(static_cast<uint32_t>(task_));
    metrics_.ToProto(task);
    metrics_ = RankingMetrics();
  }

 private:
  int task_ = 0;
  RankingMetrics metrics_;
};

class LedgerEngine final : public EngineFactory {
 public:
  LedgerEngine(const TrainingPlan& plan, Position batch_size, uint32_t pull_ahead)
      : plan_(plan), batch_size_(batch_size), pull_ahead_(pull_ahead) {}

  StatusOr<TrainingPlan> MakePlan() override { return plan_; }

  StatusOr<TrainingEngine> MakeEngine(const TrainingPlan& plan, const ClusterView& view,
                                      std::shared_ptr<Waker>) override {
    TrainingEngine engine;
    engine.feed = std::make_unique<CountingFeed>(
        plan.schema(), view, batch_size_,
        [&plan](PartitionId id) { return plan.partitions(static_cast<int>(id)).end_record(); },
        KeyOf);
    engine.computer = std::make_unique<LedgerComputer>();
    engine.observer = std::make_unique<CountingObserver>(plan);
    engine.pull_ahead_steps = pull_ahead_;
    return engine;
  }

 private:
  const TrainingPlan& plan_;
  const Position batch_size_;
  const uint32_t pull_ahead_;
};

std::unique_ptr<Endpoint> MustOpen(MemoryTransport& transport, const std::string& name,
                                   const std::string& address) {
  StatusOr<std::unique_ptr<Endpoint>> endpoint =
      transport.Open({.name = name, .listen_address = address});
  CHECK(endpoint.ok()) << endpoint.status();
  return std::move(endpoint).value();
}

SchedulerLinkOptions LinkTo(Role role, Incarnation incarnation) {
  SchedulerLinkOptions options{.scheduler_address = std::string(kSchedulerAddress),
                               .incarnation = incarnation,
                               .registration = {},
                               .register_timeout = kPatience,
                               .scheduler_timeout = kPatience};
  options.registration.set_role(role);
  return options;
}

}  // namespace

// Asks for snapshots and for the extension of the job, and drains nodes.
struct LedgerWorld::PsCtl {
  explicit PsCtl(LedgerWorld& world)
      : endpoint(MustOpen(world.transport_, "ps_ctl", "")),
        rpc(*endpoint, world.clock_, {.incarnation = 2}, nullptr),
        snapshot(rpc),
        extension(rpc),
        drain(rpc),
        scheduler(*endpoint->Connect(std::string(kSchedulerAddress))) {}

  void Poll() {
    rpc.Poll(Duration::zero());
    if (snapshot.ready()) {
      SnapshotReply reply;
      taken += snapshot.Take(reply).ok() ? 1 : 0;
    }
    if (extension.ready()) {
      ExtendReply reply;
      extended = extension.Take(reply).ok();
    }
    if (drain.ready()) {
      DrainReply reply;
      drains += drain.Take(reply).ok() && !of_lost_server ? 1 : 0;
    }
  }
  void TakeSnapshot() {
    if (snapshot.idle()) {
      snapshot.Start(scheduler, METHOD_SNAPSHOT, SnapshotRequest(), {},
                     {.deadline = 10s, .retry_after = 1s});
    }
  }
  void Drain(Role role, uint32_t node, bool is_lost_server) {
    if (drain.idle()) {
      of_lost_server = is_lost_server;
      DrainRequest request;
      request.set_role(role);
      request.set_node(node);
      drain.Start(scheduler, METHOD_DRAIN, request, {}, {.deadline = 10s, .retry_after = 1s});
    }
  }
  void Extend(const TrainingPlan& plan) {
    if (extension.idle()) {
      const Buffer bytes = Buffer::Copy(std::string_view(plan.SerializeAsString()));
      extension.Start(scheduler, METHOD_EXTEND, ExtendRequest(), {&bytes, 1},
                      {.deadline = kPatience, .retry_after = 1s});
    }
  }

  std::unique_ptr<Endpoint> endpoint;
  RpcNode rpc;
  PendingCall snapshot;
  PendingCall extension;
  PendingCall drain;
  const PeerId scheduler;
  int taken = 0;
  int drains = 0;
  bool of_lost_server = false;  // the drain that was asked for last
  bool extended = false;
};

// One lane and the link that registers it.
struct LedgerWorld::SimServer {
  SimServer(LedgerWorld& world, std::string its_name)
      : name(std::move(its_name)),
        incarnation(++world.last_incarnation_),
        endpoint(MustOpen(world.transport_, name, "mem://" + name)),
        link_endpoint(MustOpen(world.transport_, name + ".link", "")),
        snapshots(world.fs_, SnapshotWriter::Mode::kInline),
        lane(*endpoint, world.clock_, world.fs_, snapshots,
             {.incarnation = incarnation, .position_check = world.options_.check}),
        link(*link_endpoint, world.clock_, Registration(), [](HeartbeatRequest&) {}) {}

  SchedulerLinkOptions Registration() const {
    SchedulerLinkOptions options = LinkTo(ROLE_SERVER, incarnation);
    options.registration.add_lane_addresses(endpoint->address());
    return options;
  }

  const std::string name;
  const Incarnation incarnation;
  std::unique_ptr<Endpoint> endpoint;
  std::unique_ptr<Endpoint> link_endpoint;
  SnapshotWriter snapshots;
  Lane lane;
  SchedulerLink link;
};

// A session, once registered, and the link that keeps it alive.
struct LedgerWorld::SimWorker {
  SimWorker(LedgerWorld& world, std::string its_name)
      : name(std::move(its_name)),
        incarnation(++world.last_incarnation_),
        clock(world.clock_),
        endpoint(MustOpen(world.transport_, name, "")),
        link_endpoint(MustOpen(world.transport_, name + ".link", "")),
        rpc(*endpoint, world.clock_, {.incarnation = incarnation}, nullptr),
        factory(world.plan_, world.batch_size_, world.pull_ahead_),
        link(*link_endpoint, world.clock_, LinkTo(ROLE_WORKER, incarnation),
             [](HeartbeatRequest&) {}),
        scheduler(*endpoint->Connect(std::string(kSchedulerAddress))) {}

  void Poll() {
    link.Poll(Duration::zero());
    if (!link.registered()) {
      return;
    }
    if (session == nullptr) {
      session = std::make_unique<Session>(
          rpc, clock, factory,
          SessionOptions{.scheduler = scheduler, .node = link.registration().node()});
    }
    session->NoteView(link.view_epoch());
    rpc.Poll(Duration::zero());
    if (link.may_leave()) {
      session->Drain();
    }
    while (session->Advance()) {
    }
  }

  bool over() const { return link.ended() || (session != nullptr && session->done()); }

  const std::string name;
  const Incarnation incarnation;
  Clock& clock;
  std::unique_ptr<Endpoint> endpoint;
  std::unique_ptr<Endpoint> link_endpoint;
  RpcNode rpc;
  LedgerEngine factory;
  SchedulerLink link;
  const PeerId scheduler;
  std::unique_ptr<Session> session;
  Time asleep_until{};
};

LedgerWorld::LedgerWorld(const LedgerWorldOptions& options)
    : options_(options), rng_(options.seed) {
  DrawShape();
  wanted_servers_ = static_cast<uint32_t>(1 + rng_.Below(3));
  scheduler_options_.listen_address = std::string(kSchedulerAddress);
  scheduler_options_.servers = wanted_servers_;
  scheduler_options_.snapshot_dir = "snapshots";
  scheduler_options_.journal_path = "journal";
  // Every third world thins it out all the time.
  scheduler_options_.journal_thin_bytes = options_.seed % 3 == 0 ? 1 : uint64_t{1} << 30;
  scheduler_options_.workers_expected = wanted_workers_;
  scheduler_options_.cluster_id = options.seed + 1;
  StartScheduler();
  ps_ctl_ = std::make_unique<PsCtl>(*this);
  for (uint32_t i = 0; i < wanted_servers_; ++i) {
    StartServer();
  }
  for (uint32_t i = 0; i < wanted_workers_; ++i) {
    StartWorker();
  }
  transport_.SetFaults({.seed = options.seed,
                        .loss = 0.05 * rng_.Uniform(),
                        .duplication = 0.05 * rng_.Uniform(),
                        .delay_min = 0ms,
                        .delay_max = std::chrono::milliseconds(1 + rng_.Below(20)),
                        .reorder = rng_.Chance(0.5)});
}

LedgerWorld::~LedgerWorld() = default;

void LedgerWorld::DrawShape() {
  batch_size_ = 1 + rng_.Below(8);
  wanted_workers_ = static_cast<uint32_t>(1 + rng_.Below(4));
  kills_left_ = static_cast<int>(rng_.Below(4));
  naps_left_ = static_cast<int>(rng_.Below(3));
  server_kills_left_ = static_cast<int>(rng_.Below(4));
  scheduler_kills_left_ = static_cast<int>(rng_.Below(3));
  will_be_extended_ = rng_.Chance(0.5);
  joins_left_ = static_cast<int>(rng_.Below(3));
  drains_left_ = static_cast<int>(rng_.Below(4));

  ParameterSchema* schema = plan_.mutable_schema();
  schema->set_seed(options_.seed);
  schema->set_shard_count(16);
  schema->set_chunk_floats(1024);
  TableSpec* table = schema->add_tables();
  table->set_name("samples");
  table->set_dim(1);
  table->mutable_optimizer()
      ->mutable_sgd_optimizer()
      ->mutable_learning_rate()
      ->mutable_constant_learning_rate()
      ->set_learning_rate(1);
  table->mutable_initializer()->mutable_constant_initializer()->set_value(0);
  const uint64_t partitions = 1 + rng_.Below(6);
  for (uint64_t i = 0; i < partitions; ++i) {
    Partition* partition = plan_.add_partitions();
    partition->set_kind(Partition::TRAIN);
    partition->set_stage(static_cast<uint32_t>(2 * (i / 3)));
    partition->set_epoch(static_cast<uint32_t>(i / 3));
    partition->set_path("ledger");
    partition->set_begin_record(0);
    partition->set_end_record(20 + rng_.Below(60));
  }
  plan_.add_tasks("count");
  const uint64_t consistency = rng_.Below(3);
  if (consistency < 2) {
    plan_.set_max_staleness(consistency == 0 ? 0 : static_cast<uint32_t>(1 + rng_.Below(3)));
  }
  if (consistency > 0) {
    pull_ahead_ = static_cast<uint32_t>(rng_.Below(3));
  }
}

void LedgerWorld::StartWorker() {
  workers_.push_back(
      std::make_unique<SimWorker>(*this, "worker" + std::to_string(last_incarnation_)));
}

void LedgerWorld::StartServer() {
  servers_.push_back(
      std::make_unique<SimServer>(*this, "lane" + std::to_string(last_incarnation_)));
}

void LedgerWorld::StartScheduler() {
  StatusOr<std::unique_ptr<Scheduler>> scheduler =
      Scheduler::Create(scheduler_options_, transport_, fs_, clock_);
  CHECK(scheduler.ok()) << scheduler.status();
  scheduler_ = std::move(scheduler).value();
}

void LedgerWorld::DisturbScheduler() {
  if (scheduler_ == nullptr) {
    if (clock_.Now() >= scheduler_due_) {
      StartScheduler();
    }
    return;
  }
  if (scheduler_kills_left_ > 0 && !JobHasEnded() && rng_.Chance(0.003)) {
    --scheduler_kills_left_;
    ++scheduler_kills_;
    transport_.Kill("scheduler");
    scheduler_.reset();
    scheduler_due_ = clock_.Now() + std::chrono::milliseconds(rng_.Below(30'000));
  }
}

// Whether a place in the cluster waits for a server that nobody has started.
bool LedgerWorld::NeedsServer() const {
  size_t starting = 0;
  for (const std::unique_ptr<SimServer>& server : servers_) {
    starting += server->link.registered() ? 0 : 1;
  }
  size_t vacant = 0;
  if (scheduler_ != nullptr) {
    const ClusterStatus status = scheduler_->status();
    for (const LaneAddress& lane : status.view().lanes()) {
      const bool is_there =
          std::ranges::any_of(servers_, [&lane](const std::unique_ptr<SimServer>& server) {
            return server->incarnation == lane.incarnation();
          });
      vacant += is_there || given_up_.contains(lane.incarnation()) ? 0 : 1;
    }
  }
  return servers_.size() < wanted_servers_ || vacant > starting;
}

void LedgerWorld::DisturbServers() {
  std::erase_if(servers_, [](const std::unique_ptr<SimServer>& server) {
    return server->link.ended() && !server->link.registered();
  });
  // A server that owns nothing any more goes without a word.
  for (size_t i = 0; i < servers_.size(); ++i) {
    if (servers_[i]->link.may_leave()) {
      wanted_servers_ -= wanted_servers_ > 1 ? 1 : 0;
      RemoveServer(i);
      break;
    }
  }
  if (clock_.Now() >= server_due_ && NeedsServer()) {
    StartServer();
  } else if (joins_left_ > 0 && rng_.Chance(0.003)) {
    --joins_left_;
    ++joins_;
    ++wanted_servers_;
    StartServer();
  }
  if (servers_.empty() || server_kills_left_ == 0 || !rng_.Chance(0.003)) {
    return;
  }
  --server_kills_left_;
  ++server_kills_;
  const size_t victim = rng_.Below(servers_.size());
  if (MayDoWithout(*servers_[victim]) && rng_.Chance(0.6)) {
    given_up_.insert(servers_[victim]->incarnation);
    --wanted_servers_;
  }
  RemoveServer(victim);
  server_due_ = clock_.Now() + std::chrono::milliseconds(rng_.Below(6000));
}

// Whether there is another one that could inherit, now or when it is replaced itself.
bool LedgerWorld::MayDoWithout(const SimServer& server) const {
  if (scheduler_ == nullptr || wanted_servers_ == 1) {
    return false;
  }
  const ClusterStatus status = scheduler_->status();
  return std::ranges::any_of(status.view().lanes(), [&](const LaneAddress& lane) {
    return lane.incarnation() != server.incarnation && !given_up_.contains(lane.incarnation());
  });
}

// Drains one that is not replaced, if the scheduler has noticed by now.
void LedgerWorld::GiveUpServer() {
  const ClusterStatus status = scheduler_->status();
  for (const LaneAddress& lane : status.view().lanes()) {
    if (given_up_.contains(lane.incarnation())) {
      ps_ctl_->Drain(ROLE_SERVER, lane.server(), true);
      return;
    }
  }
}

void LedgerWorld::RemoveServer(size_t index) {
  transport_.Kill(servers_[index]->name);
  transport_.Kill(servers_[index]->name + ".link");
  servers_.erase(servers_.begin() + static_cast<std::ptrdiff_t>(index));
}

void LedgerWorld::GiveOrders() {
  if (rng_.Chance(0.005)) {
    ps_ctl_->TakeSnapshot();
  }
  if (will_be_extended_ && !ps_ctl_->extended && rng_.Chance(0.01)) {
    ps_ctl_->Extend(GrownPlan());
  }
  if (drains_left_ > 0 && scheduler_ != nullptr && rng_.Chance(0.003)) {
    Drain();
  }
  if (!given_up_.empty() && scheduler_ != nullptr && rng_.Chance(0.005)) {
    GiveUpServer();
  }
  ps_ctl_->Poll();
}

void LedgerWorld::Drain() {
  const ClusterStatus status = scheduler_->status();
  std::vector<NodeStatus> nodes;
  for (const NodeStatus& node : status.nodes()) {
    if (node.health() == NodeStatus::ALIVE && !node.draining()) {
      nodes.push_back(node);
    }
  }
  if (!nodes.empty()) {
    --drains_left_;
    const NodeStatus& node = nodes[rng_.Below(nodes.size())];
    ps_ctl_->Drain(node.role(), node.node(), false);
  }
}

// A task in front of the one there is, with a table and a block that nobody trains.
TrainingPlan LedgerWorld::GrownPlan() const {
  TrainingPlan plan = plan_;
  plan.set_job_digest(plan_.job_digest() + 1);
  plan.clear_tasks();
  plan.add_tasks("new");
  plan.add_tasks("count");
  ParameterSchema& schema = *plan.mutable_schema();
  TableSpec& table = *schema.add_tables();
  table = schema.tables(0);
  table.set_name("new");
  BlockSpec& block = *schema.add_blocks();
  block.set_name("new");
  block.set_rows(1);
  block.set_cols(5000);
  *block.mutable_optimizer() = table.optimizer();
  block.mutable_initializer()->mutable_uniform_initializer();
  return plan;
}

void LedgerWorld::Disturb() {
  if (workers_.empty() || !rng_.Chance(0.005)) {
    return;
  }
  const size_t victim = rng_.Below(workers_.size());
  if (kills_left_ > 0 && rng_.Chance(0.5)) {
    --kills_left_;
    ++kills_;
    transport_.Kill(workers_[victim]->name);
    transport_.Kill(workers_[victim]->name + ".link");
    workers_.erase(workers_.begin() + static_cast<std::ptrdiff_t>(victim));
  } else if (naps_left_ > 0) {
    --naps_left_;
    ++naps_;
    workers_[victim]->asleep_until =
        clock_.Now() + std::chrono::milliseconds(500 + rng_.Below(9000));
  }
}

void LedgerWorld::PollEverybody() {
  if (scheduler_ != nullptr) {
    scheduler_->Poll(Duration::zero());
  }
  for (const std::unique_ptr<SimServer>& server : servers_) {
    if (rng_.Chance(0.8)) {
      server->lane.Poll(Duration::zero());
    }
    server->link.Poll(Duration::zero());
  }
  for (const std::unique_ptr<SimWorker>& worker : workers_) {
    if (worker->asleep_until <= clock_.Now() && rng_.Chance(0.8)) {
      worker->Poll();
    }
  }
}

bool LedgerWorld::JobHasEnded() const {
  return scheduler_ != nullptr &&
         (scheduler_->state() == JOB_FINISHED || scheduler_->state() == JOB_FAILED);
}

LedgerOutcome LedgerWorld::Run() {
  const Time deadline = clock_.Now() + kPatience;
  while (!JobHasEnded() && clock_.Now() < deadline) {
    clock_.Advance(std::chrono::microseconds(500 + rng_.Below(4000)));
    Disturb();
    DisturbServers();
    DisturbScheduler();
    GiveOrders();
    PollEverybody();
    std::erase_if(workers_,
                  [](const std::unique_ptr<SimWorker>& worker) { return worker->over(); });
    if (workers_.size() < wanted_workers_ && !JobHasEnded() && rng_.Chance(0.01)) {
      StartWorker();
    }
  }
  LedgerOutcome outcome;
  outcome.finished = JobHasEnded() && scheduler_->state() == JOB_FINISHED;
  outcome.kills = kills_;
  outcome.naps = naps_;
  outcome.server_kills = server_kills_;
  outcome.scheduler_kills = scheduler_kills_;
  outcome.snapshots = ps_ctl_->taken;
  outcome.extended = ps_ctl_->extended;
  outcome.joins = joins_;
  outcome.drains = ps_ctl_->drains;
  if (!outcome.finished) {
    outcome.problem = JobHasEnded() ? scheduler_->result().ToString() : "the job did not end";
    return outcome;
  }
  CountMoves(outcome);
  // A server may die in the very moment of the end, when its last snapshot is complete: then nobody
  // is left to ask.
  if (EveryLaneIsThere()) {
    CountWeights(outcome);
    CountMeasured(outcome);
  }
  return outcome;
}

// What was measured under either plan stands under the name of its task.
void LedgerWorld::CountMeasured(LedgerOutcome& outcome) const {
  const ClusterStatus status = scheduler_->status();
  for (const MetricLine& line : status.metrics()) {
    (line.task() == "count" ? outcome.measured : outcome.misread) +=
        static_cast<int>(line.samples());
  }
}

void LedgerWorld::CountMoves(LedgerOutcome& outcome) const {
  const ClusterStatus status = scheduler_->status();
  for (const MoveStatus& move : status.moves()) {
    outcome.moves += move.has_serving_after() ? 1 : 0;
    outcome.moves_failed += move.phase().starts_with("given up") ? 1 : 0;
    outcome.inherited +=
        move.has_serving_after() && move.reason().find("is given up") != std::string::npos ? 1 : 0;
  }
}

bool LedgerWorld::EveryLaneIsThere() const {
  const ClusterStatus status = scheduler_->status();
  return std::ranges::all_of(status.view().lanes(), [this](const LaneAddress& lane) {
    return std::ranges::any_of(servers_, [&lane](const std::unique_ptr<SimServer>& server) {
      return server->incarnation == lane.incarnation();
    });
  });
}

void LedgerWorld::CountWeights(LedgerOutcome& outcome) {
  transport_.SetFaults({});
  const std::unique_ptr<Endpoint> endpoint = MustOpen(transport_, "reader", "");
  RpcNode rpc(*endpoint, clock_, {.incarnation = 1}, nullptr);
  const ClusterView view = scheduler_->status().view();
  rpc.SetCluster(view.cluster_id(), view.epoch());
  std::vector<PeerId> lanes;
  for (const LaneAddress& lane : view.lanes()) {
    lanes.push_back(*endpoint->Connect(lane.address()));
  }
  for (int p = 0; p < plan_.partitions_size(); ++p) {
    for (Position position = 0; position < plan_.partitions(p).end_record(); ++position) {
      ExplainRequest request;
      request.set_table(0);
      request.set_key(KeyOf(static_cast<PartitionId>(p), position));
      const ShardId shard = ShardOfKey(0, request.key(), view.shard_count());
      PendingCall call(rpc);
      call.Start(lanes[view.lane_of_shard(static_cast<int>(shard))], METHOD_EXPLAIN, request, {},
                 {});
      while (!call.ready()) {
        clock_.Advance(1ms);
        for (const std::unique_ptr<SimServer>& server : servers_) {
          server->lane.Poll(Duration::zero());
        }
        rpc.Poll(Duration::zero());
      }
      ExplainReply reply;
      const Status status = call.Take(reply);
      CHECK(status.ok()) << status;
      const float weight = reply.weights_size() > 0 ? reply.weights(0) : 0;
      ++outcome.samples;
      outcome.never += weight == 0 ? 1 : 0;
      outcome.repeatedly += weight > 1 ? 1 : 0;
    }
  }
}

}  // namespace antiphon
