#include "scheduler/conductor.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "common/base/logging.h"
#include "scheduler/plan_growth.h"

namespace antiphon {
namespace {

bool SameLanes(const ClusterView& left, const ClusterView& right) {
  return std::ranges::equal(left.lanes(), right.lanes(), {}, &LaneAddress::incarnation,
                            &LaneAddress::incarnation) &&
         std::ranges::equal(left.lane_of_shard(), right.lane_of_shard());
}

}  // namespace

Conductor::Conductor(const ConductorOptions& options)
    : options_(options), members_(options.membership), lifecycle_(options.lifecycle) {}

StatusOr<RegisterReply> Conductor::Register(const RegisterRequest& request, Incarnation sender,
                                            Time now) {
  return RegisterNode(request, sender, now, Joining::kWhenAllHaveSpoken);
}

StatusOr<RegisterReply> Conductor::RegisterNode(const RegisterRequest& request, Incarnation sender,
                                                Time now, Joining joining) {
  RegisterReply reply;
  reply.set_cluster_id(options_.cluster_id);
  reply.set_scheduler_epoch(scheduler_epoch_);
  reply.set_heartbeat_ms(static_cast<uint32_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(options_.heartbeat).count()));
  if (request.role() == ROLE_CONTROL) {
    return reply;
  }
  if (request.has_replaces_pid()) {
    const Node* before =
        members_.FindProcess(request.role(), request.host(), request.replaces_pid());
    if (before != nullptr && before->incarnation != sender) {
      members_.Bury(before->incarnation, "its launcher saw it end", now);
      NodeGone(*before, "dead");
    }
  }
  const bool is_new = members_.Find(sender) == nullptr;
  AP_ASSIGN_OR_RETURN(Node * node, members_.Register(request, sender, now, joining));
  if (is_new) {
    LOG(INFO) << node->Name() << " has registered";
    JournalRecord record;
    record.mutable_registered()->set_sender(sender);
    *record.mutable_registered()->mutable_request() = request;
    Note(std::move(record));
  }
  if (node->role == ROLE_WORKER) {
    AP_RETURN_IF_ERROR(plan_desk_.CheckJob(*node));
  }
  reply.set_node(node->index);
  return reply;
}

StatusOr<HeartbeatReply> Conductor::Heartbeat(HeartbeatRequest& request, Incarnation sender,
                                              uint64_t request_id, Time now) {
  AP_ASSIGN_OR_RETURN(Node * node, members_.Hear(sender, now));
  if (request.lanes_size() > static_cast<int>(node->lane_addresses.size())) {
    return InvalidArgumentError(node->Name() + " reports " + std::to_string(request.lanes_size()) +
                                " lanes but registered " +
                                std::to_string(node->lane_addresses.size()));
  }
  if (request.lanes_size() > 0) {
    node->lanes.clear();
    for (LaneStatus& lane : *request.mutable_lanes()) {
      node->lanes.push_back(std::move(lane));
    }
  }
  HeartbeatReply reply;
  reply.set_scheduler_epoch(scheduler_epoch_);
  if (node->may_leave()) {
    reply.set_drain(true);
  }
  reply.set_state(lifecycle_.StateFor(node->role));
  if (!lifecycle_.result().ok()) {
    reply.set_reason(lifecycle_.result().message());
  }
  // A repeat counts for nothing: its sender may have had the first answer, which said that the job
  // still runs, and takes no second one.
  const bool is_repeat = node->last_heartbeat == request_id;
  node->last_heartbeat = request_id;
  node->told_end = node->told_end || (reply.state() >= JOB_FINISHED && !is_repeat);
  if (request.has_leaving()) {
    members_.Leave(sender, request.leaving(), now);
    NodeGone(*node, "has left");
  }
  return reply;
}

// What becomes of a server's slot is the scheduler's business.
void Conductor::NodeGone(const Node& node, const std::string& how) {
  LOG(WARNING) << node.Name() << " " << how << ": " << node.death;
  JournalRecord record;
  record.mutable_gone()->set_sender(node.incarnation);
  record.mutable_gone()->set_health(node.health);
  record.mutable_gone()->set_reason(node.death);
  Note(std::move(record));
  if (node.role == ROLE_WORKER) {
    WorkerGone(node);
  }
}

Status Conductor::Drain(const DrainRequest& request) {
  AP_ASSIGN_OR_RETURN(const Node* node, members_.Drain(request.role(), request.node()));
  LOG(INFO) << node->Name()
            << (node->given_up ? " is given up: others get its shards" : " is drained");
  JournalRecord record;
  *record.mutable_drain() = request;
  Note(std::move(record));
  return Status();
}

void Conductor::GiveUpLost(Duration patience, Time now) {
  while (const Node* lost = members_.FindLost(patience, now)) {
    DrainRequest request;
    request.set_role(ROLE_SERVER);
    request.set_node(lost->index);
    const Status status = Drain(request);
    CHECK(status.ok()) << status;
  }
}

StatusOr<Node*> Conductor::HearWorker(Incarnation sender, Time now) {
  AP_ASSIGN_OR_RETURN(Node * node, members_.Hear(sender, now));
  if (node->role != ROLE_WORKER) {
    return PermissionDeniedError(node->Name() + " asked for what only a worker may ask for");
  }
  AP_RETURN_IF_ERROR(plan_desk_.CheckJob(*node));
  return node;
}

StatusOr<GetPlanReply> Conductor::GetPlan(Incarnation sender, const ClusterView* view, Time now) {
  AP_RETURN_IF_ERROR(HearWorker(sender, now).status());
  GetPlanReply reply;
  reply.set_propose(plan_desk_.MayPropose(sender));
  reply.set_ready(view != nullptr);
  if (view != nullptr) {
    *reply.mutable_view() = *view;
  }
  return reply;
}

Status Conductor::ProposePlan(const Buffer& bytes, Incarnation sender, Time now) {
  AP_ASSIGN_OR_RETURN(const Node* node, HearWorker(sender, now));
  const bool is_new = !plan_desk_.has_plan();
  AP_RETURN_IF_ERROR(plan_desk_.Propose(*node, bytes));
  if (is_new) {
    const TrainingPlan& plan = plan_desk_.plan();
    LOG(INFO) << node->Name() << " proposed the plan of job " << plan.job_name() << ": "
              << plan.partitions_size() << " partitions, " << plan.schema().tables_size()
              << " tables, " << plan.schema().blocks_size() << " dense blocks";
    JournalRecord record;
    record.mutable_plan()->set_sender(sender);
    record.mutable_plan()->set_plan(std::string(bytes.text()));
    Note(std::move(record));
  }
  return Status();
}

Status Conductor::Extend(const Buffer& bytes) {
  if (plan_desk_.Has(bytes)) {
    return Status();
  }
  if (lifecycle_.ended() || complete()) {
    return FailedPreconditionError("the job is at its end: nothing is trained any more");
  }
  if (book_ == nullptr) {
    return FailedPreconditionError("the job has not begun to train; give it the edited job file");
  }
  AP_RETURN_IF_ERROR(plan_desk_.Extend(bytes));
  const TrainingPlan& before = plan_desk_.plan();
  const TrainingPlan& after = plan_desk_.next_plan();
  LOG(INFO) << "the job is extended: " << before.tasks_size() << " to " << after.tasks_size()
            << " tasks, " << before.scenes_size() << " to " << after.scenes_size() << " scenes, "
            << before.schema().blocks_size() << " to " << after.schema().blocks_size()
            << " dense blocks";
  JournalRecord record;
  record.mutable_extension()->set_plan(std::string(bytes.text()));
  Note(std::move(record));
  return Status();
}

void Conductor::Begin(const std::vector<PartitionProgress>& resume) {
  book_ = std::make_unique<LeaseBook>(plan_desk_.plan());
  metrics_ = std::make_unique<MetricsBoard>(plan_desk_.shared_plan());
  if (!resume.empty()) {
    book_->Resume(resume);
  }
  for (size_t stage = 0; stage < book_->stages_done(); ++stage) {
    closed_.insert(stage);
  }
  lifecycle_.Run();
}

void Conductor::Rewind(const std::vector<PartitionProgress>& kept) {
  for (const auto& [worker, lease] : book_->leases()) {
    metrics_->DropEvaluation(worker);
    clock_.Leave(worker);
  }
  book_->Rewind(kept);
}

void Conductor::Ready(const ClusterView& view, const std::vector<PartitionProgress>& kept) {
  const bool extends = plan_desk_.is_extending();
  if (book_ == nullptr) {
    Begin(kept);
  } else if (!extends || !SameLanes(ready_view_, view)) {
    Rewind(kept);
  }
  if (extends) {
    FinishExtension(view.epoch());
  }
  ready_view_ = view;
  suspended_ = false;
}

void Conductor::FinishExtension(uint64_t view_epoch) {
  earlier_plans_.push_back({.until_epoch = view_epoch, .plan = plan_desk_.shared_plan()});
  plan_desk_.FinishExtension();
  metrics_->Extend(plan_desk_.shared_plan());
}

// What is told by the plan of an earlier view is told by that of today.
Status Conductor::MoveToPlan(uint64_t view_epoch, MetricsDelta& delta) const {
  for (const EarlierPlan& earlier : earlier_plans_) {
    if (view_epoch < earlier.until_epoch) {
      return PlanGrowth(*earlier.plan, plan_desk_.plan()).Move(delta);
    }
  }
  return Status();
}

StatusOr<LeaseReply> Conductor::Lease(const LeaseRequest& request, Incarnation sender, Time now) {
  AP_ASSIGN_OR_RETURN(const Node* node, HearWorker(sender, now));
  LeaseReply reply;
  reply.set_tick(request.tick());
  reply.set_action(LeaseReply::WAIT);
  if (book_ == nullptr || suspended_ || node->draining) {
    return reply;
  }
  const bool held_one = book_->LeaseOf(sender) != nullptr;
  // While the last snapshot is written the partitions are done, but the job is not.
  const LeaseBook::Grant grant = lifecycle_.ended()
                                     ? LeaseBook::Grant{LeaseBook::Answer::kFinished, {}}
                                     : book_->Acquire(sender);
  const bool trains =
      grant.answer == LeaseBook::Answer::kLease && grant.lease.kind == Partition::TRAIN;
  if (!trains) {
    clock_.Leave(sender);
  }
  if (grant.answer == LeaseBook::Answer::kFinished && lifecycle_.ended()) {
    // Its agent still waits for the heartbeat that says how the job ended: not told before that.
    reply.set_action(LeaseReply::FINISHED);
  }
  if (grant.answer == LeaseBook::Answer::kLease) {
    reply.set_action(trains ? LeaseReply::TRAIN : LeaseReply::EVALUATE);
    reply.set_partition(grant.lease.partition);
    reply.set_lease_epoch(grant.lease.lease_epoch);
    reply.set_measured_through(book_->entries()[grant.lease.partition].measured);
  }
  if (trains) {
    reply.set_tick(clock_.Join(sender, request.tick()));
    if (!training_began_.has_value()) {
      training_began_ = now;
    }
  }
  if (grant.answer == LeaseBook::Answer::kLease && !held_one) {
    JournalRecord record;
    record.mutable_lease()->set_sender(sender);
    *record.mutable_lease()->mutable_request() = request;
    Note(std::move(record));
  }
  return reply;
}

StatusOr<ReportReply> Conductor::Report(const ReportRequest& request, const MetricsDelta& measured,
                                        Incarnation sender, uint64_t view_epoch, Time now) {
  AP_RETURN_IF_ERROR(HearWorker(sender, now).status());
  if (book_ == nullptr) {
    return FailedPreconditionError("a report came before any lease was given out");
  }
  ReportReply reply;
  SequenceWindow& reports = workers_[sender].reports;
  if (reports.Seen(request.sequence())) {
    return reply;
  }
  MetricsDelta delta = measured;
  AP_RETURN_IF_ERROR(MoveToPlan(view_epoch, delta));
  const Status status = ApplyReport(request, delta, sender, now);
  if (status.ok()) {
    JournalRecord record;
    record.mutable_report()->set_sender(sender);
    *record.mutable_report()->mutable_request() = request;
    *record.mutable_report()->mutable_delta() = delta;
    Note(std::move(record));
  }
  if (status.ok() || status.code() == StatusCode::kStaleEpoch) {
    reports.Mark(request.sequence());
    reply.set_revoked(!status.ok());
    return reply;
  }
  return status;
}

Status Conductor::ApplyReport(const ReportRequest& request, const MetricsDelta& delta,
                              Incarnation sender, Time now) {
  clock_.Hear(sender, request.tick());
  const antiphon::Lease* held = book_->LeaseOf(sender);
  const bool evaluates = held != nullptr && held->kind == Partition::EVAL;
  const uint64_t samples_before = book_->samples_trained();
  const size_t stages_before = book_->stages_done();
  AP_RETURN_IF_ERROR(
      book_->Report(sender, {.partition = request.partition(),
                             .lease_epoch = request.lease_epoch(),
                             .position = request.position(),
                             .measured_through = evaluates ? 0 : request.measured_through(),
                             .done = request.done(),
                             .yielded = request.yielded(),
                             .records = request.records()}));
  workers_[sender].samples += book_->samples_trained() - samples_before;
  if (request.has_stream()) {
    streams_[request.partition()] = {.report = request.stream(), .at = now};
  }
  if ((request.done() || request.yielded()) && !evaluates) {
    clock_.EndLease(sender, now);
    training_ended_ = now;
  }
  const Status added =
      evaluates ? metrics_->HoldEvaluation(sender, delta) : metrics_->AddTraining(delta);
  if (added.ok() && !evaluates) {
    // The board has just read the same ages without an error.
    sample_ages_.Add(now, *AgeHistogram::FromProto(delta.ages()));
  } else if (!added.ok()) {
    // The partition counts all the same: what was trained is trained, whatever was measured of it.
    LOG(WARNING) << "metrics of " << members_.Find(sender)->Name() << " are left out: " << added;
  }
  for (const std::string& news : metrics_->TakeNews()) {
    LOG(WARNING) << news;
  }
  if (evaluates && request.done()) {
    metrics_->CountEvaluation(sender);
  }
  EndStages(stages_before);
  return Status();
}

void Conductor::EndStages(size_t stages_before) {
  for (size_t stage = stages_before; stage < book_->stages_done(); ++stage) {
    const LeaseBook::Entry& first = book_->FirstOfStage(stage);
    // After a rewind the same stage ends once more, without new numbers.
    if (first.kind == Partition::EVAL && closed_.insert(stage).second) {
      metrics_->CloseEvaluation(first.epoch, book_->samples_trained());
    }
  }
}

void Conductor::WorkerGone(const Node& worker) {
  plan_desk_.WorkerDied(worker.incarnation);
  clock_.Leave(worker.incarnation);
  if (book_ == nullptr) {
    return;
  }
  if (const antiphon::Lease* held = book_->LeaseOf(worker.incarnation); held != nullptr) {
    LOG(WARNING) << "partition " << held->partition << " of " << worker.Name()
                 << " goes to another worker";
    metrics_->DropEvaluation(worker.incarnation);
    book_->Release(worker.incarnation);
  }
}

void Conductor::Sweep(Time now) {
  for (const Node* node : members_.Sweep(now)) {
    NodeGone(*node, "dead");
  }
  clock_.Sweep(now);
}

void Conductor::Note(JournalRecord record) {
  if (journal_ != nullptr) {
    journal_->Note(std::move(record));
  }
}

Status Conductor::Replay(const JournalRecord& record, Time then) {
  switch (record.change_case()) {
    case JournalRecord::kRegistered:
      // What it waited for has come: it was registered.
      return RegisterNode(record.registered().request(), record.registered().sender(), then,
                          Joining::kAtOnce)
          .status();
    case JournalRecord::kGone: {
      const JournalDeparture& gone = record.gone();
      if (members_.Find(gone.sender()) == nullptr) {
        return DataLossError("a node is gone that never registered");
      }
      gone.health() == NodeStatus::LEFT ? members_.Leave(gone.sender(), gone.reason(), then)
                                        : members_.Bury(gone.sender(), gone.reason(), then);
      NodeGone(*members_.Find(gone.sender()), "was gone");
      return Status();
    }
    case JournalRecord::kPlan:
      return ProposePlan(Buffer::Copy(std::string_view(record.plan().plan())),
                         record.plan().sender(), then);
    case JournalRecord::kExtension:
      return Extend(Buffer::Copy(std::string_view(record.extension().plan())));
    case JournalRecord::kBuilding:
      Seat(record.building());
      return Status();
    case JournalRecord::kDrain:
      return Drain(record.drain());
    case JournalRecord::kReady: {
      const auto& progress = record.ready().progress();
      Ready(record.ready().view(), {progress.begin(), progress.end()});
      return Status();
    }
    case JournalRecord::kLease:
      return Lease(record.lease().request(), record.lease().sender(), then).status();
    case JournalRecord::kReport:
      // It was noted as the plan of its time tells it.
      return Report(record.report().request(), record.report().delta(), record.report().sender(),
                    ready_view_.epoch(), then)
          .status();
    case JournalRecord::kMeasured:
      return metrics_ == nullptr ? DataLossError("something was measured before the job began")
                                 : metrics_->Load(record.measured());
    case JournalRecord::kLeases:
      return LoadLeases(record.leases(), then);
    case JournalRecord::kEnd:
      ReplayEnd(record.end(), then);
      return Status();
    default:
      return Status();
  }
}

void Conductor::ReplayEnd(const JournalEnd& end, Time then) {
  if (end.state() == JOB_FAILED) {
    lifecycle_.Fail(UnavailableError(end.reason()), then);
  } else if (end.state() == JOB_STOPPED) {
    lifecycle_.Stop(then);
  } else {
    lifecycle_.Finish(then);
  }
}

void Conductor::OutrankSchedulersBefore(uint64_t epoch) {
  scheduler_epoch_ = epoch;
  clock_.OutrankVersions(epoch);
}

double Conductor::TrainingSeconds(Time now) const {
  if (!training_began_.has_value()) {
    return 0;
  }
  const bool over = training_ended_.has_value() && book_->training_done();
  return SecondsBetween(*training_began_, over ? *training_ended_ : now);
}

uint64_t Conductor::SamplesOf(Incarnation worker) const {
  const auto found = workers_.find(worker);
  return found == workers_.end() ? 0 : found->second.samples;
}

}  // namespace antiphon
