#include "worker/session.h"

#include <algorithm>
#include <utility>

#include "common/base/text.h"

namespace antiphon {
namespace {

// A scheduler that is being started again answers late; whether it ever comes back is for the
// worker's agent to say.
constexpr CallOptions kAskOptions{.deadline = std::chrono::hours(1),
                                  .retry_after = std::chrono::seconds(1)};
// Proposing waits for the servers, which may start last.
constexpr CallOptions kProposeOptions{.deadline = std::chrono::minutes(5),
                                      .retry_after = std::chrono::seconds(2)};

// How long a run may wait for a lane before it says so, and how often it says so again.
constexpr Duration kSayAfter = std::chrono::seconds(5);
constexpr Duration kDropAgainAfter = std::chrono::milliseconds(200);

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
      lanes_(rpc.endpoint()),
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
    case State::kLeaving:
      return FinishLeaving();
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
    if (AskAgain(status)) {
      return false;
    }
    End(status.WithContext("get the training plan from the scheduler"));
    return false;
  }
  return OnPlan(reply, message);
}

bool Session::OnPlan(const GetPlanReply& reply, const Message& message) {
  if (reply.ready()) {
    Status status = TakePlan(message);
    if (status.ok()) {
      status = Connect(reply.view());
    }
    if (!status.ok()) {
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

Status Session::TakePlan(const Message& message) {
  TrainingPlan plan;
  if (message.bulk().size() != 1 ||
      !plan.ParseFromArray(message.bulk()[0].data(), static_cast<int>(message.bulk()[0].size()))) {
    return DataLossError("the scheduler's training plan cannot be read");
  }
  if (context_ != nullptr && plan.job_digest() == plan_.job_digest()) {
    return Status();
  }
  if (context_ != nullptr) {
    LOG(INFO) << "the job was extended: " << plan.tasks_size() << " tasks, " << plan.scenes_size()
              << " scenes";
  }
  context_.reset();  // it refers to the plan
  plan_ = std::move(plan);
  return Status();
}

// The first time, for another plan and where shards have moved, everything is made; after that only
// lanes that are others are met anew.
Status Session::Connect(const ClusterView& view) {
  rpc_.SetCluster(view.cluster_id(), view.epoch());
  AP_RETURN_IF_ERROR(lanes_.Connect(view));
  const bool same_places = view_.lanes_size() == view.lanes_size() &&
                           std::ranges::equal(view_.lane_of_shard(), view.lane_of_shard());
  view_ = view;
  if (context_ == nullptr || !same_places) {
    AP_RETURN_IF_ERROR(MakeEngine(view));
  }
  for (LaneId lane = 0; lane < context_->lanes.size(); ++lane) {
    if (context_->lanes[lane] != lanes_.ids()[lane]) {
      dense_->Forget(lane);
    }
  }
  context_->lanes = lanes_.ids();
  return Status();
}

Status Session::MakeEngine(const ClusterView& view) {
  context_.reset();
  engine_ = {};  // two cannot read the same data at a time
  AP_ASSIGN_OR_RETURN(engine_, factory_.MakeEngine(plan_, view, rpc_.endpoint().waker()));
  dense_ = std::make_unique<DenseMirror>(plan_.schema(), view);
  context_ =
      std::make_unique<RunContext>(RunContext{.rpc = rpc_,
                                              .schema = plan_.schema(),
                                              .lanes = lanes_.ids(),
                                              .feed = *engine_.feed,
                                              .computer = *engine_.computer,
                                              .dense = *dense_,
                                              .step_clock = step_clock_,
                                              .seed = plan_.schema().seed(),
                                              .pull_ahead_steps = engine_.pull_ahead_steps,
                                              .gradient_clip_norm = engine_.gradient_clip_norm});
  return Status();
}

void Session::NoteView(uint64_t epoch) {
  if (epoch <= view_.epoch() || context_ == nullptr) {
    return;
  }
  if (state_ == State::kRunning) {
    LeaveRun(StaleEpochError("the cluster has the view of epoch " + std::to_string(epoch) +
                             ", this run goes by " + std::to_string(view_.epoch())));
  } else if (state_ == State::kLeasing) {
    call_.Cancel();
    state_ = State::kGettingPlan;
  }
}

// The report may come too late, when the lease is over already; what was measured is then
// forgotten, and whoever trains on these samples again measures them from where the scheduler knows
// of.
void Session::LeaveRun(const Status& why) {
  LOG(WARNING) << "partition " << run_->lease().partition << " is given up: " << why;
  tick_ = run_->tick();
  engine_.feed->Stop();
  ask_at_ = clock_.Now() + kDropAgainAfter;
  state_ = State::kLeaving;
}

bool Session::FinishLeaving() {
  if (report_.pending()) {
    return false;
  }
  if (report_.ready()) {
    ReportReply reply;
    if (const Status status = report_.Take(reply); status.code() == StatusCode::kStaleEpoch) {
      End(status);
      return false;
    }
  }
  if (run_ != nullptr) {
    if (run_->lease().kind == Partition::TRAIN) {
      StartReport(false);
    } else {
      MetricsDelta unwanted;  // half of an evaluation
      engine_.observer->TakeDelta(unwanted);
    }
    run_.reset();
    return true;
  }
  state_ = State::kGettingPlan;
  EndIfDraining();
  return true;
}

void Session::Drain() {
  draining_ = true;
  switch (state_) {
    case State::kRunning:
      if (run_->lease().kind == Partition::TRAIN) {
        run_->Stop();
      } else {
        EndIfDraining();
      }
      return;
    case State::kReporting:
    case State::kLeaving:
    case State::kDone:
      return;
    default:
      EndIfDraining();
  }
}

// Whoever leaves gives its lease back.
void Session::EndIfDraining() {
  if (draining_) {
    End(Status());
  }
}

// Whether a question to the scheduler failed in a way that the same question, later, may not.
bool Session::AskAgain(const Status& status) {
  const bool again = status.code() == StatusCode::kUnavailable ||
                     status.code() == StatusCode::kDeadlineExceeded ||
                     status.code() == StatusCode::kResourceExhausted;
  if (again) {
    ask_at_ = clock_.Now() + options_.ask_again_after;
  }
  return again;
}

// Nothing hangs in silence.
void Session::SayWhatIsWaitedFor() {
  const Time now = clock_.Now();
  if (now < say_at_) {
    return;
  }
  say_at_ = now + kSayAfter;
  const std::optional<LaneWait> wait = run_->LongestWait();
  if (!wait.has_value() || now - wait->since < kSayAfter) {
    return;
  }
  const LaneAddress& lane = view_.lanes(static_cast<int>(wait->lane));
  LOG(WARNING) << "has waited for lane " << wait->lane << " (server " << lane.server() << ", "
               << lane.address() << ") for " << FormatSeconds(SecondsBetween(wait->since, now))
               << ": " << (wait->failure.ok() ? "no answer yet" : wait->failure.ToString());
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
    if (AskAgain(status)) {
      return false;
    }
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
      .kind = reply.action() == LeaseReply::TRAIN ? Partition::TRAIN : Partition::EVAL,
      .measured_through = reply.action() == LeaseReply::TRAIN ? reply.measured_through() : 0};
  engine_.observer->StartRun(lease.kind);
  run_ = std::make_unique<PartitionRun>(*context_, lease, tick_, next_step_, *engine_.observer);
  asks_to_yield_ = false;
  report_at_ = clock_.Now() + options_.report_every;
  say_at_ = clock_.Now() + kSayAfter;
  state_ = State::kRunning;
}

bool Session::Run() {
  const bool progress = run_->Advance();
  if (!run_->done()) {
    step_clock_.Begin(progress ? StepClock::Activity::kOther : run_->waits_for());
    if (!progress) {
      SayWhatIsWaitedFor();
    }
    return ReportProgress() || progress;
  }
  step_clock_.Begin(StepClock::Activity::kOther);
  tick_ = run_->tick();
  if (run_->superseded()) {
    LeaveRun(run_->status());
    return false;
  }
  if (!run_->status().ok()) {
    End(run_->status());
    return false;
  }
  if (report_.pending()) {
    return false;  // its metrics are not yet known to have arrived
  }
  StartReport(!run_->stopped());
  state_ = State::kReporting;
  return true;
}

bool Session::ReportProgress() {
  if (report_.ready()) {
    ReportReply reply;
    const Status status = report_.Take(reply);
    if (status.code() == StatusCode::kStaleEpoch) {
      End(status);
      return false;
    }
    if (status.ok() && reply.revoked()) {
      LeaveRun(StaleEpochError("the scheduler took the lease back"));
      return true;
    }
    if (status.ok() && asks_to_yield_) {
      engine_.feed->LetYield();  // somebody is there to give the partition to another worker
    }
  }
  // An evaluation is reported once, at its end: half of one means nothing.
  const bool wants_to_yield = engine_.feed->wants_to_yield();
  const bool is_due = clock_.Now() >= report_at_ || (wants_to_yield && !asks_to_yield_);
  if (report_.idle() && is_due && run_->lease().kind == Partition::TRAIN) {
    asks_to_yield_ = wants_to_yield;
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
  request.set_done(run_is_done && !run_->yielded());
  request.set_yielded(run_is_done && run_->yielded());
  request.set_records(run_->records());
  if (const SourceReport source = engine_.feed->report(); source.is_known || !source.away.empty()) {
    StreamReport& stream = *request.mutable_stream();
    if (!source.away.empty()) {
      stream.set_away(source.away);
      stream.set_away_ms(source.away_ms);
    }
    stream.set_behind(source.behind);
    stream.set_behind_in_bytes(source.behind_in_bytes);
    stream.set_gaps(source.gaps);
    stream.set_gap_positions(source.gap_positions);
    if (run_->newest_event_ms() > 0) {
      stream.set_newest_event_ms(run_->newest_event_ms());
    }
  }
  request.set_tick(run_->tick());
  request.set_measured_through(run_->measured_through());
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
  EndIfDraining();
  return !done();
}

void Session::End(const Status& status) {
  status_ = status;
  run_.reset();
  state_ = State::kDone;
}

}  // namespace antiphon
