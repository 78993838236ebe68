#include "worker/session.h"

#include <utility>

namespace antiphon {
namespace {

constexpr CallOptions kAskOptions{.deadline = std::chrono::seconds(30),
                                  .retry_after = std::chrono::seconds(1)};
// Proposing waits for the servers, which may start last.
constexpr CallOptions kProposeOptions{.deadline = std::chrono::minutes(5),
                                      .retry_after = std::chrono::seconds(2)};

Buffer Serialize(const google::protobuf::MessageLite& message) {
  Buffer bytes = Buffer::Allocate(message.ByteSizeLong());
  message.SerializeToArray(bytes.mutable_data(), static_cast<int>(bytes.size()));
  return bytes;
}

}  // namespace

Session::Session(RpcNode& rpc, Clock& clock, EngineFactory& factory, const SessionOptions& options)
    : rpc_(rpc),
      clock_(clock),
      factory_(factory),
      options_(options),
      call_(rpc),
      report_(rpc),
      step_clock_(clock) {}

bool Session::Advance() {
  switch (state_) {
    case State::kGettingPlan:
      return GetPlan();
    case State::kProposing:
      return Propose();
    case State::kLeasing:
      return LeaseNext();
    case State::kRunning:
      return Run();
    case State::kReporting:
      return FinishReport();
    case State::kDone:
      return false;
  }
  return false;
}

bool Session::GetPlan() {
  if (call_.idle() && clock_.Now() >= ask_at_) {
    GetPlanRequest request;
    request.set_node(options_.node);
    call_.Start(options_.scheduler, METHOD_GET_PLAN, request, {}, kAskOptions);
  }
  if (!call_.ready()) {
    return false;
  }
  GetPlanReply reply;
  Message message;
  if (const Status status = call_.Take(reply, &message); !status.ok()) {
    End(status.WithContext("get the training plan from the scheduler"));
    return false;
  }
  return OnPlan(reply, message);
}

bool Session::OnPlan(const GetPlanReply& reply, const Message& message) {
  if (reply.ready()) {
    if (const Status status = Connect(reply, message); !status.ok()) {
      End(status);
      return false;
    }
    state_ = State::kLeasing;
    return true;
  }
  if (reply.propose()) {
    StatusOr<TrainingPlan> plan = factory_.MakePlan();
    if (!plan.ok()) {
      End(plan.status());
      return false;
    }
    ProposePlanRequest request;
    request.set_node(options_.node);
    const Buffer bytes = Serialize(*plan);
    call_.Start(options_.scheduler, METHOD_PROPOSE_PLAN, request, {&bytes, 1}, kProposeOptions);
    state_ = State::kProposing;
    return true;
  }
  ask_at_ = clock_.Now() + options_.ask_again_after;
  return false;
}

bool Session::Propose() {
  if (!call_.ready()) {
    return false;
  }
  ProposePlanReply reply;
  if (const Status status = call_.Take(reply); !status.ok()) {
    End(status.WithContext("propose the training plan to the scheduler"));
    return false;
  }
  state_ = State::kGettingPlan;
  return true;
}

Status Session::Connect(const GetPlanReply& reply, const Message& message) {
  if (message.bulk().size() != 1 ||
      !plan_.ParseFromArray(message.bulk()[0].data(), static_cast<int>(message.bulk()[0].size()))) {
    return DataLossError("the scheduler's training plan cannot be read");
  }
  const ClusterView& view = reply.view();
  rpc_.SetCluster(view.cluster_id(), view.epoch());
  AP_ASSIGN_OR_RETURN(engine_, factory_.MakeEngine(plan_, view, rpc_.endpoint().waker()));
  dense_ = std::make_unique<DenseMirror>(plan_.schema(), view);
  std::vector<PeerId> lanes;
  for (const LaneAddress& lane : view.lanes()) {
    AP_ASSIGN_OR_RETURN(const PeerId peer, rpc_.endpoint().Connect(lane.address()));
    lanes.push_back(peer);
  }
  context_ =
      std::make_unique<RunContext>(RunContext{.rpc = rpc_,
                                              .schema = plan_.schema(),
                                              .lanes = std::move(lanes),
                                              .feed = *engine_.feed,
                                              .computer = *engine_.computer,
                                              .dense = *dense_,
                                              .step_clock = step_clock_,
                                              .seed = plan_.schema().seed(),
                                              .pull_ahead_steps = engine_.pull_ahead_steps,
                                              .gradient_clip_norm = engine_.gradient_clip_norm});
  return Status();
}

bool Session::LeaseNext() {
  if (call_.idle() && clock_.Now() >= ask_at_) {
    LeaseRequest request;
    request.set_node(options_.node);
    request.set_tick(tick_);
    call_.Start(options_.scheduler, METHOD_LEASE, request, {}, kAskOptions);
  }
  if (!call_.ready()) {
    return false;
  }
  LeaseReply reply;
  if (const Status status = call_.Take(reply); !status.ok()) {
    End(status.WithContext("ask the scheduler for a partition"));
    return false;
  }
  OnLease(reply);
  return !done();
}

void Session::OnLease(const LeaseReply& reply) {
  switch (reply.action()) {
    case LeaseReply::FINISHED:
      End(engine_.feed->Finish());
      return;
    case LeaseReply::WAIT:
      ask_at_ = clock_.Now() + options_.ask_again_after;
      return;
    case LeaseReply::TRAIN:
    case LeaseReply::EVALUATE:
      break;
  }
  tick_ = reply.tick();
  const HeldLease lease{
      .partition = reply.partition(),
      .epoch = reply.lease_epoch(),
      .kind = reply.action() == LeaseReply::TRAIN ? Partition::TRAIN : Partition::EVAL};
  engine_.observer->StartRun(lease.kind);
  run_ = std::make_unique<PartitionRun>(*context_, lease, tick_, next_step_, *engine_.observer);
  report_at_ = clock_.Now() + options_.report_every;
  state_ = State::kRunning;
}

bool Session::Run() {
  const bool progress = run_->Advance();
  if (!run_->done()) {
    step_clock_.Begin(progress ? StepClock::Activity::kOther : run_->waits_for());
    return ReportProgress() || progress;
  }
  step_clock_.Begin(StepClock::Activity::kOther);
  tick_ = run_->tick();
  if (run_->status().code() == StatusCode::kStaleEpoch) {
    LOG(WARNING) << "lease of partition " << run_->lease().partition
                 << " was taken away: " << run_->status();
    report_.Cancel();
    run_.reset();
    state_ = State::kLeasing;
    return true;
  }
  if (!run_->status().ok()) {
    End(run_->status());
    return false;
  }
  if (report_.pending()) {
    return false;  // its metrics are not yet known to have arrived
  }
  StartReport(true);
  state_ = State::kReporting;
  return true;
}

bool Session::ReportProgress() {
  if (report_.ready()) {
    ReportReply reply;
    const Status status = report_.Take(reply);
    if (status.ok() && reply.revoked()) {
      LOG(WARNING) << "the scheduler gave partition " << run_->lease().partition
                   << " to another worker";
      tick_ = run_->tick();
      run_.reset();
      state_ = State::kLeasing;
      return true;
    }
  }
  // An evaluation is reported once, at its end: half of one means nothing.
  if (report_.idle() && clock_.Now() >= report_at_ && run_->lease().kind == Partition::TRAIN) {
    report_at_ = clock_.Now() + options_.report_every;
    StartReport(false);
  }
  return false;
}

void Session::StartReport(bool run_is_done) {
  MetricsDelta delta;
  engine_.observer->TakeDelta(delta);
  engine_.feed->TakeBadRows(delta);
  step_clock_.TakeSeconds(*delta.mutable_step_seconds());
  ReportRequest request;
  request.set_node(options_.node);
  request.set_sequence(++report_sequence_);
  request.set_partition(run_->lease().partition);
  request.set_lease_epoch(run_->lease().epoch);
  request.set_position(run_->position());
  request.set_done(run_is_done);
  request.set_tick(run_->tick());
  const Buffer bytes = Serialize(delta);
  report_.Start(options_.scheduler, METHOD_REPORT, request, {&bytes, 1}, kAskOptions);
}

bool Session::FinishReport() {
  if (!report_.ready()) {
    return false;
  }
  ReportReply reply;
  if (const Status status = report_.Take(reply); !status.ok()) {
    End(status.WithContext("report a partition to the scheduler"));
    return false;
  }
  run_.reset();
  state_ = State::kLeasing;
  return true;
}

void Session::End(const Status& status) {
  status_ = status;
  run_.reset();
  state_ = State::kDone;
}

}  // namespace antiphon
