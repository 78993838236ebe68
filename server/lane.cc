#include "server/lane.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "common/base/logging.h"

namespace antiphon {

namespace {

// A worker has one pull under way, or a few when it pulls ahead.
constexpr size_t kMaxParkedPulls = 1024;
// Adopting shards takes its time: it must not keep a processor from the lanes that serve.
constexpr Duration kBetweenSlices = std::chrono::milliseconds(1);
constexpr uint64_t kMaxEchoBytes = kMaxBodyBytes - kMaxMetaBytes;

void DescribeTable(const RowTable& table, TableStatus* status) {
  status->set_bytes(table.bytes());
  const AdmissionCounts& counts = table.admission().counts();
  status->set_admitted_total(counts.admitted);
  status->set_refused_by_count_total(counts.refused_by_count);
  status->set_refused_by_chance_total(counts.refused_by_chance);
  status->set_refused_by_memory_total(counts.refused_by_memory);
  status->set_evicted_by_age_total(table.erased(EraseReason::kAge));
  status->set_evicted_by_score_total(table.erased(EraseReason::kScore));
  status->set_evicted_by_memory_total(table.erased(EraseReason::kMemory));
}

}  // namespace

Lane::Services::Services(std::optional<uint32_t> max_staleness, PositionCheck check,
                         BufferPool& pool, Clock& clock, FileSystem& fs, SnapshotWriter& snapshots,
                         std::shared_ptr<Waker> waker, uint64_t memory_limit)
    : gate(max_staleness),
      pull(state, pool),
      push(state, clock),
      snapshot(state, fs, snapshots, std::move(waker)),
      adoption(state, fs),
      sweeper(state, clock, memory_limit) {
  state.ledger = PositionLedger(check);
}

Lane::Lane(Endpoint& endpoint, Clock& clock, FileSystem& fs, SnapshotWriter& snapshots,
           const LaneOptions& options)
    : clock_(clock),
      fs_(fs),
      snapshots_(snapshots),
      options_(options),
      rpc_(endpoint, clock, {.incarnation = options.incarnation}, this) {}

Lane::~Lane() = default;

bool Lane::Poll(Duration timeout) {
  const bool received = rpc_.Poll(hurries_  ? Duration::zero()
                                  : adopts_ ? std::min(timeout, kBetweenSlices)
                                            : timeout);
  if (services_ != nullptr) {
    const bool sweeps = services_->sweeper.Advance();
    hurries_ = services_->snapshot.Advance() || AdvanceAdoption() || sweeps;
    AnswerLate(services_->snapshot.TakeResult(), snapshot_asker_);
    AnswerLate(services_->adoption.TakeResult(), adoption_asker_);
  }
  return received;
}

// True when the next slice should follow at once.
bool Lane::AdvanceAdoption() {
  AdoptionService& adoption = services_->adoption;
  const Time now = clock_.Now();
  if (adoption.hurries() || now >= next_adoption_) {
    adopts_ = adoption.Advance();
    next_adoption_ = now + kBetweenSlices;
  }
  return adopts_ && adoption.hurries();
}

template <typename Reply>
void Lane::AnswerLate(const std::optional<StatusOr<Reply>>& result,
                      std::optional<ReplyAddress>& asker) {
  if (!result.has_value() || !asker.has_value()) {
    return;
  }
  const ReplyAddress to = *std::exchange(asker, std::nullopt);
  if (result->ok()) {
    rpc_.Reply(to, **result, {});
  } else {
    Refuse(to, result->status());
  }
}

void Lane::OnRequest(Request& request) {
  const Status status = Handle(request);
  if (!status.ok()) {
    Refuse(RpcNode::AddressOf(request), status);
  }
}

void Lane::Refuse(const ReplyAddress& to, const Status& status) {
  ++(services_ == nullptr ? refused_before_configure_ : services_->state.counters.refused);
  rpc_.ReplyError(to, status);
}

Status Lane::Handle(const Request& request) {
  if (request.method() == METHOD_CONFIGURE) {
    return Configure(request);
  }
  AP_RETURN_IF_ERROR(CheckSender(request));
  switch (request.method()) {
    case METHOD_PULL:
      return Pull(request);
    case METHOD_PUSH:
      return Push(request);
    case METHOD_OPEN_PARTITION:
      return OpenPartition(request);
    case METHOD_SET_MEMBERS:
      return SetMembers(request);
    case METHOD_LEAVE_CLOCK:
      return LeaveClock(request);
    case METHOD_WRITE_SNAPSHOT:
      return WriteSnapshot(request);
    case METHOD_RESTORE:
      return Restore(request);
    case METHOD_ADOPT:
      return Adopt(request);
    case METHOD_EXPLAIN:
      return Explain(request);
    case METHOD_LANE_STATUS: {
      LaneStatus reply;
      Describe(&reply);
      rpc_.Reply(RpcNode::AddressOf(request), reply, {});
      return Status();
    }
    case METHOD_ECHO:
      return Echo(request);
    default:
      return UnimplementedError("a lane has no method " + std::to_string(request.header.method));
  }
}

Status Lane::CheckSender(const Request& request) const {
  if (services_ == nullptr) {
    return FailedPreconditionError("the scheduler has not configured this lane yet");
  }
  const ClusterView& view = services_->state.store->view();
  if (request.header.cluster_id != view.cluster_id()) {
    return StaleEpochError("the request is for cluster " +
                           std::to_string(request.header.cluster_id) + ", this lane belongs to " +
                           std::to_string(view.cluster_id()));
  }
  if (request.header.epoch != view.epoch()) {
    return StaleEpochError("the request follows the shard map of epoch " +
                           std::to_string(request.header.epoch) + ", this lane that of epoch " +
                           std::to_string(view.epoch()) + "; get the cluster view again");
  }
  return Status();
}

Status Lane::Configure(const Request& request) {
  const std::string_view bytes = request.message[1].text();
  if (services_ == nullptr || bytes != configuration_) {
    ConfigureRequest config;
    AP_RETURN_IF_ERROR(request.Parse(config));
    AP_RETURN_IF_ERROR(MustBeginAnew(config) ? ConfigureFirst(config) : ConfigureAnew(config));
    configuration_ = bytes;
    rpc_.SetCluster(config.view().cluster_id(), config.view().epoch());
  }
  rpc_.Reply(RpcNode::AddressOf(request), ConfigureReply(), {});
  return Status();
}

Status Lane::ConfigureFirst(const ConfigureRequest& config) {
  AP_ASSIGN_OR_RETURN(std::unique_ptr<LaneStore> store, LaneStore::Create(config));
  std::optional<uint32_t> max_staleness;
  if (config.has_max_staleness()) {
    max_staleness = config.max_staleness();
  }
  auto services =
      std::make_unique<Services>(max_staleness, options_.position_check, rpc_.pool(), clock_, fs_,
                                 snapshots_, rpc_.endpoint().waker(), options_.memory_limit);
  services->state.ledger.Reset(store->shard_count(), store->shards());
  services->state.store = std::move(store);
  services_ = std::move(services);
  snapshot_asker_.reset();
  adoption_asker_.reset();
  LOG(INFO) << "lane " << config.lane() << " owns " << services_->state.store->shards().size()
            << " of " << config.view().shard_count() << " shards";
  return Status();
}

// A lane of a server that joined has no shards at first. When it gets some that it has not adopted,
// because it takes the place of a server that was lost, it has nothing to lose by beginning anew.
bool Lane::MustBeginAnew(const ConfigureRequest& config) const {
  if (services_ == nullptr) {
    return true;
  }
  const StatusOr<std::vector<ShardId>> shards = LaneStore::ShardsIn(config);
  return services_->state.store->shards().empty() && shards.ok() &&
         !services_->adoption.HasRead(*shards);
}

Status Lane::ConfigureAnew(const ConfigureRequest& config) {
  const std::vector<ShardId> had = services_->state.store->shards();
  AP_RETURN_IF_ERROR(services_->adoption.TakeView(config));
  if (services_->state.store->shards() != had) {
    services_->snapshot.BeginAnew();
    services_->sweeper.Restart();
  }
  LOG(INFO) << "lane " << config.lane() << " goes by the view of epoch " << config.view().epoch();
  RefuseParked(StaleEpochError("the cluster has a newer view; get it and pull again"));
  return Status();
}

void Lane::RefuseParked(const Status& status) {
  for (const ParkedPull& pull : parked_) {
    Refuse(pull.reply_to, status);
  }
  parked_.clear();
}

Status Lane::Pull(const Request& request) {
  AP_RETURN_IF_ERROR(request.Parse(pull_request_));
  const Incarnation sender = request.header.sender;
  if (pull_request_.purpose() == PURPOSE_EVAL) {
    return ServePull(RpcNode::AddressOf(request), sender, request.message);
  }
  // Its tick is news of the sender as well, which may let others go before it.
  if (services_->gate.Advance(sender, pull_request_.tick())) {
    OnTick();
    AP_RETURN_IF_ERROR(request.Parse(pull_request_));  // serving the others has used it
  }
  return services_->gate.MayPull(sender, pull_request_.tick())
             ? ServePull(RpcNode::AddressOf(request), sender, request.message)
             : Park(request);
}

Status Lane::ServePull(const ReplyAddress& reply_to, Incarnation sender, const Message& message) {
  pull_reply_.Clear();
  std::array<Buffer, 2> frames;
  AP_RETURN_IF_ERROR(
      services_->pull.Serve(sender, pull_request_, message, pull_reply_, std::span(frames)));
  rpc_.Reply(reply_to, pull_reply_, frames);
  return Status();
}

Status Lane::Park(const Request& request) {
  // A retry takes the place of what it repeats: one answer is enough.
  const auto repeated = std::find_if(parked_.begin(), parked_.end(), [&](const ParkedPull& parked) {
    return parked.sender == request.header.sender && parked.step == pull_request_.step();
  });
  if (repeated != parked_.end()) {
    repeated->reply_to = RpcNode::AddressOf(request);
    repeated->message = request.message;
    return Status();
  }
  if (parked_.size() >= kMaxParkedPulls) {
    return ResourceExhaustedError(std::to_string(parked_.size()) +
                                  " pulls wait for slower workers already");
  }
  parked_.push_back({.reply_to = RpcNode::AddressOf(request),
                     .sender = request.header.sender,
                     .step = pull_request_.step(),
                     .tick = pull_request_.tick(),
                     .message = request.message});
  return Status();
}

void Lane::OnTick() {
  if (services_->gate.IsStepWhole()) {
    services_->state.store->dense().EndStep();
  }
  size_t kept = 0;
  for (size_t i = 0; i < parked_.size(); ++i) {
    ParkedPull& pull = parked_[i];
    if (!services_->gate.MayPull(pull.sender, pull.tick)) {
      if (kept != i) {
        parked_[kept] = std::move(pull);
      }
      ++kept;
      continue;
    }
    // It was parsed before it was parked.
    Status status = ParseMeta(pull.message, pull_request_);
    if (status.ok()) {
      status = ServePull(pull.reply_to, pull.sender, pull.message);
    }
    if (!status.ok()) {
      Refuse(pull.reply_to, status);
    }
  }
  parked_.resize(kept);
}

Status Lane::Push(const Request& request) {
  AP_RETURN_IF_ERROR(request.Parse(push_request_));
  push_reply_.Clear();
  const Incarnation sender = request.header.sender;
  AP_RETURN_IF_ERROR(services_->push.Serve(sender, push_request_, request.message, push_reply_));
  rpc_.Reply(RpcNode::AddressOf(request), push_reply_, {});
  services_->gate.Advance(sender, push_request_.tick());
  OnTick();
  return Status();
}

Status Lane::OpenPartition(const Request& request) {
  OpenPartitionRequest open;
  AP_RETURN_IF_ERROR(request.Parse(open));
  AP_ASSIGN_OR_RETURN(const std::vector<Standing> applied,
                      services_->state.ledger.Open(open.partition(), open.lease_epoch()));
  OpenPartitionReply reply;
  for (const Standing& standing : applied) {
    reply.add_applied_through(standing.position);
    reply.add_records(standing.records);
  }
  rpc_.Reply(RpcNode::AddressOf(request), reply, {});
  return Status();
}

Status Lane::SetMembers(const Request& request) {
  SetMembersRequest set;
  AP_RETURN_IF_ERROR(request.Parse(set));
  std::vector<TickGate::Member> members;
  for (const Member& member : set.members()) {
    members.push_back({.incarnation = member.incarnation(), .tick = member.tick()});
  }
  services_->gate.SetMembers(set.version(), members);
  rpc_.Reply(RpcNode::AddressOf(request), SetMembersReply(), {});
  OnTick();
  return Status();
}

Status Lane::LeaveClock(const Request& request) {
  services_->gate.Leave(request.header.sender);
  rpc_.Reply(RpcNode::AddressOf(request), LeaveClockReply(), {});
  OnTick();
  return Status();
}

Status Lane::WriteSnapshot(const Request& request) {
  WriteSnapshotRequest write;
  AP_RETURN_IF_ERROR(request.Parse(write));
  WriteSnapshotReply reply;
  AP_ASSIGN_OR_RETURN(const bool is_answered, services_->snapshot.Write(write, reply));
  if (is_answered) {
    rpc_.Reply(RpcNode::AddressOf(request), reply, {});
  } else {
    snapshot_asker_ = RpcNode::AddressOf(request);
  }
  return Status();
}

Status Lane::Restore(const Request& request) {
  RestoreRequest restore;
  AP_RETURN_IF_ERROR(request.Parse(restore));
  RestoreReply reply;
  services_->adoption.Forget();
  AP_RETURN_IF_ERROR(services_->snapshot.Restore(restore, reply));
  services_->sweeper.Restart();
  rpc_.Reply(RpcNode::AddressOf(request), reply, {});
  return Status();
}

Status Lane::Adopt(const Request& request) {
  AdoptRequest adopt;
  AP_RETURN_IF_ERROR(request.Parse(adopt));
  AP_RETURN_IF_ERROR(services_->adoption.Adopt(adopt));
  adoption_asker_ = RpcNode::AddressOf(request);
  return Status();
}

Status Lane::Explain(const Request& request) {
  ExplainRequest explain;
  AP_RETURN_IF_ERROR(request.Parse(explain));
  LaneStore& store = *services_->state.store;
  AP_RETURN_IF_ERROR(store.CheckTable(explain.table()));
  AP_RETURN_IF_ERROR(store.CheckKey(explain.table(), explain.key()));
  RowTable& table = store.table(explain.table());
  const Key key = explain.key();
  std::byte* row = nullptr;
  table.Lookup({&key, 1}, LookupMode::kFindOnly, {&row, 1});
  ExplainReply reply;
  reply.set_found(row != nullptr);
  reply.set_shard(store.ShardOf(explain.table(), key));
  reply.set_lane(store.lane());
  if (row != nullptr) {
    const RowHeader& header = HeaderOf(row);
    reply.set_shows(static_cast<double>(CountValue(header.shows)));
    reply.set_clicks(static_cast<double>(CountValue(header.clicks)));
    reply.set_last_seen_seconds(header.last_seen_unix());
    const std::span<const float> weights = table.layout().weights(row);
    const std::span<const float> state = table.layout().state(row);
    reply.mutable_weights()->Add(weights.begin(), weights.end());
    reply.mutable_state()->Add(state.begin(), state.end());
  }
  rpc_.Reply(RpcNode::AddressOf(request), reply, {});
  return Status();
}

Status Lane::Echo(const Request& request) {
  EchoRequest echo;
  AP_RETURN_IF_ERROR(request.Parse(echo));
  if (echo.reply_bytes() > kMaxEchoBytes) {
    return InvalidArgumentError("reply_bytes is " + std::to_string(echo.reply_bytes()) +
                                ", at most " + std::to_string(kMaxEchoBytes));
  }
  const Buffer bytes = rpc_.pool().Acquire(echo.reply_bytes());
  rpc_.Reply(RpcNode::AddressOf(request), EchoReply(), {&bytes, 1});
  return Status();
}

void Lane::Describe(LaneStatus* status) const {
  status->Clear();
  status->set_bad_frames_total(rpc_.bad_frames_total());
  status->set_refused_total(refused_before_configure_);
  if (services_ == nullptr) {
    return;
  }
  const LaneState& state = services_->state;
  const LaneStore& store = *state.store;
  status->set_lane(store.lane());
  for (TableId id = 0; id < store.table_count(); ++id) {
    TableStatus* table = status->add_tables();
    table->set_table(id);
    table->set_rows(store.table(id).row_count());
    DescribeTable(store.table(id), table);
  }
  status->set_dense_floats(store.dense().floats());
  status->set_bytes(store.bytes());
  if (options_.memory_limit > 0) {
    status->set_memory_limit(options_.memory_limit);
  }
  status->set_pulls_total(state.counters.pulls);
  status->set_pushes_total(state.counters.pushes);
  status->set_duplicate_pushes_total(state.counters.duplicate_pushes);
  status->set_refused_total(refused_before_configure_ + state.counters.refused);
  status->set_pulled_keys_total(state.counters.pulled_keys);
  status->set_pushed_keys_total(state.counters.pushed_keys);
  status->set_parked_pulls(parked_.size());
  status->set_staleness_max(services_->gate.lead());
  state.ledger.Describe(status->mutable_positions());
}

}  // namespace antiphon
