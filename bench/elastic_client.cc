#include "bench/elastic_client.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <span>
#include <utility>

#include "common/base/logging.h"
#include "common/cluster/shard_map.h"
#include "proto/plan.pb.h"
#include "tests/support/stamped_rows.h"

namespace antiphon {
namespace {

constexpr Incarnation kWorker = 2;
constexpr Incarnation kControl = 3;
constexpr uint32_t kShards = 256;
constexpr Duration kLookEvery = std::chrono::milliseconds(10);

TrainingPlan Plan(const ElasticWork& work) {
  TrainingPlan plan;
  plan.set_job_name("elastic");
  plan.set_job_digest(1);
  plan.add_tasks("none");
  ParameterSchema& schema = *plan.mutable_schema();
  schema.set_seed(1);
  schema.set_shard_count(kShards);
  schema.set_chunk_floats(16384);
  *schema.add_tables() = StampedTable(work.dim);
  Partition& partition = *plan.add_partitions();
  partition.set_kind(Partition::TRAIN);
  partition.set_begin_record(0);
  partition.set_end_record(uint64_t{1} << 40);
  return plan;
}

template <typename Request>
void AddSlice(size_t count, Request& request) {
  if (count > 0) {
    TableSlice* slice = request.add_tables();
    slice->set_table(0);
    slice->set_count(static_cast<uint32_t>(count));
  }
}

}  // namespace

ElasticClient::ElasticClient(const std::string& scheduler, const ElasticWork& work)
    : work_(work),
      scheduler_address_(scheduler),
      transport_(std::move(ZmqTransport::Create()).value()),
      endpoint_(transport_->Open({.name = "client", .listen_address = ""}).value()),
      rpc_(*endpoint_, clock_, {.incarnation = kWorker}, nullptr),
      lanes_(*endpoint_),
      status_(rpc_),
      scheduler_(*endpoint_->Connect(scheduler)) {
  ProposePlan();
  JoinCluster();
}

void ElasticClient::ProposePlan() {
  SchedulerLinkOptions link;
  link.scheduler_address = scheduler_address_;
  link.incarnation = kWorker;
  link.registration.set_role(ROLE_WORKER);
  link.registration.set_job_digest(1);
  StatusOr<std::unique_ptr<NodeAgent>> agent = NodeAgent::Start(
      *transport_, clock_, std::move(link), [](HeartbeatRequest&) {}, [] {});
  CHECK(agent.ok()) << agent.status();
  agent_ = std::move(agent).value();
  CHECK(agent_->WaitUntilRegistered().ok());
  CHECK(Ask<GetPlanReply>(scheduler_, METHOD_GET_PLAN, GetPlanRequest()).propose());
  const Buffer plan = Buffer::Copy(std::string_view(Plan(work_).SerializeAsString()));
  Ask<ProposePlanReply>(scheduler_, METHOD_PROPOSE_PLAN, ProposePlanRequest(), {&plan, 1});
}

void ElasticClient::JoinCluster() {
  while (true) {
    const auto plan = Ask<GetPlanReply>(scheduler_, METHOD_GET_PLAN, GetPlanRequest());
    if (plan.ready() && plan.view().epoch() > view_.epoch()) {
      view_ = plan.view();
      break;
    }
    rpc_.Poll(std::chrono::milliseconds(1));
  }
  rpc_.SetCluster(view_.cluster_id(), view_.epoch());
  CHECK(lanes_.Connect(view_).ok());
  LeaseReply lease;
  do {
    lease = Ask<LeaseReply>(scheduler_, METHOD_LEASE, LeaseRequest());
  } while (lease.action() != LeaseReply::TRAIN);
  lease_epoch_ = lease.lease_epoch();
  OpenPartitionRequest open;
  open.set_partition(lease.partition());
  open.set_lease_epoch(lease_epoch_);
  for (const PeerId lane : lanes_.ids()) {
    Ask<OpenPartitionReply>(lane, METHOD_OPEN_PARTITION, open);
  }
}

void ElasticClient::Preload() {
  for (uint64_t first = 0; first < work_.rows; first += work_.keys) {
    std::vector<Key> keys;
    for (uint64_t key = first; key < std::min(first + work_.keys, work_.rows); ++key) {
      keys.push_back(key);
    }
    CHECK(Pull(keys)) << "a view was over before anybody came or went";
  }
}

void ElasticClient::Step(Latencies& seen) {
  std::vector<Key> keys;
  // Distinct: each from a stripe of its own.
  const uint64_t stripe = work_.rows / work_.keys;
  for (uint64_t i = 0; i < work_.keys; ++i) {
    keys.push_back(i * stripe + rng_.Below(stripe));
  }
  const Time begin = clock_.Now();
  Time pulled{};
  bool undisturbed = true;
  while (true) {
    if (Pull(keys)) {
      pulled = clock_.Now();
      // After a refusal some lanes have the batch and some do not: the former skip it.
      if (Push()) {
        break;
      }
    }
    undisturbed = false;
    JoinCluster();
  }
  ++position_;
  const Time pushed = clock_.Now();
  if (undisturbed) {
    seen.pull.push_back(SecondsBetween(begin, pulled));
    seen.push.push_back(SecondsBetween(pulled, pushed));
  } else {
    stalled_ += SecondsBetween(begin, pushed);
  }
}

double ElasticClient::TakeStalled() {
  return std::exchange(stalled_, 0);
}

const MoveStatus& ElasticClient::LastMove() {
  if (status_.ready()) {
    ClusterStatus status;
    CHECK(status_.Take(status).ok());
    moves_ = status.moves_size();
    if (moves_ > 0) {
      move_ = status.moves(moves_ - 1);
    }
    for (const NodeStatus& node : status.nodes()) {
      if (node.role() == ROLE_SERVER && node.health() == NodeStatus::ALIVE && !node.draining()) {
        oldest_server_ = node.node();
        break;
      }
    }
    look_at_ = clock_.Now() + kLookEvery;
  }
  if (status_.idle() && clock_.Now() >= look_at_) {
    status_.Start(scheduler_, METHOD_STATUS, StatusRequest(), {}, {});
  }
  rpc_.Poll(Duration::zero());
  return move_;
}

void ElasticClient::DrainOldest() {
  DrainRequest request;
  request.set_role(ROLE_SERVER);
  request.set_node(oldest_server_);
  // A node of the job may not ask for that.
  const std::unique_ptr<Endpoint> endpoint =
      transport_->Open({.name = "control", .listen_address = ""}).value();
  RpcNode rpc(*endpoint, clock_, {.incarnation = kControl}, nullptr);
  PendingCall call(rpc);
  call.Start(*endpoint->Connect(scheduler_address_), METHOD_DRAIN, request, {}, {});
  while (!call.ready()) {
    rpc.Poll(std::chrono::milliseconds(10));
  }
  DrainReply reply;
  const Status status = call.Take(reply);
  CHECK(status.ok()) << status;
}

double ElasticClient::SumOfStamps() {
  double sum = 0;
  for (uint64_t first = 0; first < work_.rows; first += work_.keys) {
    std::vector<Key> keys;
    for (uint64_t key = first; key < std::min(first + work_.keys, work_.rows); ++key) {
      keys.push_back(key);
    }
    CHECK(Pull(keys));
    for (size_t lane = 0; lane < by_lane_.size(); ++lane) {
      for (size_t row = 0; row < by_lane_[lane].size(); ++row) {
        sum += replies_[lane].bulk()[0].As<float>()[row * work_.dim];
      }
    }
  }
  return sum;
}

bool ElasticClient::Pull(const std::vector<Key>& keys) {
  by_lane_.assign(lanes_.ids().size(), {});
  for (const Key key : keys) {
    const ShardId shard = ShardOfKey(0, key, kShards);
    by_lane_[view_.lane_of_shard(static_cast<int>(shard))].push_back(key);
  }
  ++step_;
  Calls calls;
  for (size_t lane = 0; lane < by_lane_.size(); ++lane) {
    PullRequest request;
    request.set_step(step_);
    AddSlice(by_lane_[lane].size(), request);
    const Buffer frame = Buffer::Copy(std::as_bytes(std::span(by_lane_[lane])));
    calls.push_back(std::make_unique<PendingCall>(rpc_));
    calls.back()->Start(lanes_.ids()[lane], METHOD_PULL, request, {&frame, 1}, {});
  }
  return TakeAll<PullReply>(calls);
}

bool ElasticClient::Push() {
  Calls calls;
  for (size_t lane = 0; lane < by_lane_.size(); ++lane) {
    const size_t count = by_lane_[lane].size();
    PushRequest request;
    request.set_step(step_);
    request.set_partition(0);
    request.set_lease_epoch(lease_epoch_);
    request.set_begin(position_);
    request.set_end(position_ + 1);
    AddSlice(count, request);
    Buffer gradients = Buffer::Allocate(count * work_.dim * sizeof(float));
    std::ranges::fill(gradients.MutableAs<float>(), -1.0F);
    Buffer counts = Buffer::Allocate(count * sizeof(uint32_t));
    std::ranges::fill(counts.MutableAs<uint32_t>(), 1U << 16);
    const std::array<Buffer, 3> frames = {gradients, counts, Buffer()};
    calls.push_back(std::make_unique<PendingCall>(rpc_));
    calls.back()->Start(lanes_.ids()[lane], METHOD_PUSH, request, frames, {});
  }
  return TakeAll<PushReply>(calls);
}

template <typename Reply>
bool ElasticClient::TakeAll(const Calls& calls) {
  replies_.resize(calls.size());
  bool all = true;
  for (size_t lane = 0; lane < calls.size(); ++lane) {
    while (!calls[lane]->ready()) {
      rpc_.Poll(std::chrono::seconds(1));
    }
    Reply reply;
    const Status status = calls[lane]->Take(reply, &replies_[lane]);
    CHECK(status.ok() || status.code() == StatusCode::kStaleEpoch) << status;
    all = all && status.ok();
  }
  return all;
}

template <typename Reply>
Reply ElasticClient::Ask(PeerId peer, Method method, const google::protobuf::MessageLite& meta,
                         std::span<const Buffer> bulk) {
  PendingCall call(rpc_);
  call.Start(peer, method, meta, bulk, {});
  while (!call.ready()) {
    rpc_.Poll(std::chrono::seconds(1));
  }
  Reply reply;
  const Status status = call.Take(reply);
  CHECK(status.ok()) << status;
  return reply;
}

}  // namespace antiphon
