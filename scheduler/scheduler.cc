#include "scheduler/scheduler.h"

#include <algorithm>
#include <utility>

#include "common/base/hash.h"
#include "common/base/logging.h"
#include "common/ckpt/snapshot_chain.h"
#include "scheduler/restore_check.h"
#include "scheduler/status_page.h"

namespace antiphon {
namespace {

// The scheduler's own name on the wire; any number but 0 that no node draws by accident.
Incarnation SchedulerIncarnation(uint64_t cluster_id) {
  return Mix64(cluster_id, 0x5c4ed) | 1;
}

ConductorOptions ConductorOptionsOf(const SchedulerOptions& options) {
  ConductorOptions job;
  job.membership = {.servers = options.servers,
                    .elastic = !options.snapshot_dir.empty(),
                    .dead_after = options.dead_after};
  job.lifecycle = {.failure_linger = options.failure_linger,
                   .finish_wait = options.finish_wait,
                   .linger = options.linger};
  job.cluster_id = options.cluster_id;
  job.heartbeat = options.heartbeat;
  return job;
}

}  // namespace

StatusOr<std::unique_ptr<Scheduler>> Scheduler::Create(const SchedulerOptions& given,
                                                       Transport& transport, FileSystem& fs,
                                                       Clock& clock) {
  SchedulerOptions options = given;
  AP_RETURN_IF_ERROR(CheckOptions(options));
  std::unique_ptr<Journal> journal;
  std::vector<JournalRecord> records;
  if (!options.journal_path.empty()) {
    AP_ASSIGN_OR_RETURN(journal, Journal::Open(fs, clock, options.journal_path));
    records = journal->TakeRecords();
  }
  StatusOr<JournalSummary> before = Summarize(records);
  AP_RETURN_IF_ERROR(before.status().WithContext(options.journal_path));
  if (before->cluster_id != 0) {
    AP_RETURN_IF_ERROR(CheckSameJob(*before, options.servers).WithContext(options.journal_path));
    options.cluster_id = before->cluster_id;
    options.listen_address = before->address;
  }
  RestorePoint restored;
  if (!options.restore_dir.empty()) {
    AP_ASSIGN_OR_RETURN(SnapshotChain chain, FindNewestChain(fs, options.restore_dir));
    restored = RestorePoint::Of(std::move(chain));
  }
  if (!options.snapshot_dir.empty()) {
    AP_RETURN_IF_ERROR(fs.MakeDirectories(options.snapshot_dir));
  }
  AP_ASSIGN_OR_RETURN(
      std::unique_ptr<Endpoint> endpoint,
      transport.Open({.name = "scheduler", .listen_address = options.listen_address}));
  std::unique_ptr<Scheduler> scheduler(new Scheduler(
      options, std::move(endpoint), std::move(restored), std::move(journal), fs, clock));
  if (scheduler->journal_ != nullptr) {
    AP_RETURN_IF_ERROR(scheduler->GoOn(records, *before).WithContext(options.journal_path));
  }
  return scheduler;
}

Scheduler::Scheduler(const SchedulerOptions& options, std::unique_ptr<Endpoint> endpoint,
                     RestorePoint restored, std::unique_ptr<Journal> journal, FileSystem& fs,
                     Clock& clock)
    : options_(options),
      fs_(fs),
      clock_(clock),
      endpoint_(std::move(endpoint)),
      rpc_(*endpoint_, clock, {.incarnation = SchedulerIncarnation(options.cluster_id)}, this),
      started_(clock.Now()),
      journal_(std::move(journal)),
      thin_journal_at_(options.journal_thin_bytes),
      job_(ConductorOptionsOf(options)),
      lanes_(rpc_),
      cluster_(
          {.cluster_id = options.cluster_id, .server_down_timeout = options.server_down_timeout},
          rpc_, lanes_, fs, clock),
      members_cast_(lanes_),
      snapshots_(lanes_, fs, clock, job_.sample_ages(), options.snapshot_dir),
      control_(rpc_, clock, job_, cluster_, snapshots_, options.snapshot_dir),
      outputs_(options.outputs, fs, clock) {
  rpc_.SetCluster(options.cluster_id, 0);
  if (!restored.folder.empty()) {
    job_.ContinueFrom(restored.manifest.plan());
  }
  cluster_.BeginFrom(std::move(restored));
}

Status Scheduler::GoOn(const std::vector<JournalRecord>& records, const JournalSummary& before) {
  const Time now = clock_.Now();
  const int64_t wall = clock_.WallSeconds();
  for (const JournalRecord& record : before.snapshots) {
    snapshots_.Recall(record.snapshot(), record.wall_seconds());
    cluster_.NoteSnapshot(record.snapshot().directory());
  }
  bool in_a_snapshot = true;
  const int64_t cut = snapshots_.CutSeconds();
  for (const JournalRecord& record : records) {
    if (in_a_snapshot && record.wall_seconds() >= cut) {
      in_a_snapshot = false;
      job_.sample_ages().Clear();
    }
    // Whoever was not told of the job's end is told now.
    const int64_t ago = record.has_end() ? 0 : std::max<int64_t>(0, wall - record.wall_seconds());
    AP_RETURN_IF_ERROR(job_.Replay(record, now - std::chrono::seconds(ago)));
  }
  job_.OutrankSchedulersBefore(before.scheduler_epoch);
  if (!records.empty()) {
    job_.GoOn(now + options_.restart_grace);
    AP_RETURN_IF_ERROR(cluster_.GoOn(before));
    if (!cluster_.ready()) {
      job_.Suspend();
    }
    LOG(INFO) << "goes on as scheduler " << before.scheduler_epoch << " of this job, after "
              << records.size() << " records of " << options_.journal_path;
  }
  Note(StartRecord(options_.cluster_id, address(), options_.servers, before.scheduler_epoch));
  job_.Record(*journal_);
  cluster_.Record(*journal_);
  return journal_->status();
}

void Scheduler::Note(JournalRecord record) {
  if (journal_ != nullptr) {
    journal_->Note(std::move(record));
  }
}

bool Scheduler::Poll(Duration timeout) {
  rpc_.Poll(timeout);
  const Time now = clock_.Now();
  Advance(now);
  return !job_.lifecycle().Over(now, job_.members().AllTold());
}

void Scheduler::RequestStop() {
  job_.lifecycle().Stop(clock_.Now());
}

Status Scheduler::result() const {
  const Status& of_job = job_.lifecycle().result();
  return of_job.ok() ? outputs_.status() : of_job;
}

void Scheduler::Fail(const Status& why) {
  LOG(ERROR) << "the job failed: " << why;
  job_.lifecycle().Fail(why, clock_.Now());
}

// --- requests ------------------------------------------------------------------------------------

void Scheduler::OnRequest(Request& request) {
  if (const Status status = Answer(request); !status.ok()) {
    rpc_.ReplyError(RpcNode::AddressOf(request), status);
  }
}

Status Scheduler::Answer(Request& request) {
  switch (request.method()) {
    case METHOD_STATUS:
      return AnswerStatus(request);
    case METHOD_SNAPSHOT:
    case METHOD_EXTEND:
    case METHOD_DRAIN:
    case METHOD_STOP:
      return control_.Answer(request);
    case METHOD_GET_PLAN:
    case METHOD_PROPOSE_PLAN:
      return AnswerPlan(request);
    case METHOD_REPORT:
      return AnswerReport(request);
    default:
      return AnswerNode(request);
  }
}

Status Scheduler::AnswerNode(Request& request) {
  const ReplyAddress to = RpcNode::AddressOf(request);
  const Incarnation sender = request.header.sender;
  const Time now = clock_.Now();
  switch (request.method()) {
    case METHOD_REGISTER: {
      RegisterRequest meta;
      AP_RETURN_IF_ERROR(request.Parse(meta));
      AP_ASSIGN_OR_RETURN(const RegisterReply reply, job_.Register(meta, sender, now));
      rpc_.Reply(to, reply, {});
      return Status();
    }
    case METHOD_HEARTBEAT: {
      HeartbeatRequest meta;
      AP_RETURN_IF_ERROR(request.Parse(meta));
      AP_ASSIGN_OR_RETURN(HeartbeatReply reply,
                          job_.Heartbeat(meta, sender, request.header.request_id, now));
      if (cluster_.ready()) {
        reply.set_view_epoch(cluster_.view().epoch());
      }
      rpc_.Reply(to, reply, {});
      return Status();
    }
    case METHOD_LEASE: {
      LeaseRequest meta;
      AP_RETURN_IF_ERROR(request.Parse(meta));
      if (cluster_.ready() && request.header.epoch != cluster_.view().epoch()) {
        // Who goes by an older view may train by an older plan: it gets the newer one first.
        LeaseReply wait;
        wait.set_tick(meta.tick());
        wait.set_action(LeaseReply::WAIT);
        rpc_.Reply(to, wait, {});
        return Status();
      }
      AP_ASSIGN_OR_RETURN(const LeaseReply reply, job_.Lease(meta, sender, now));
      rpc_.Reply(to, reply, {});
      return Status();
    }
    default:
      return UnimplementedError("the scheduler has no method " +
                                std::to_string(request.header.method));
  }
}

Status Scheduler::AnswerPlan(Request& request) {
  const ReplyAddress to = RpcNode::AddressOf(request);
  const Incarnation sender = request.header.sender;
  if (request.method() == METHOD_PROPOSE_PLAN) {
    if (request.message.bulk().size() != 1) {
      return InvalidArgumentError("a proposal has " +
                                  std::to_string(request.message.bulk().size()) +
                                  " frames, expected 1: the plan");
    }
    AP_RETURN_IF_ERROR(job_.ProposePlan(request.message.bulk()[0], sender, clock_.Now()));
    rpc_.Reply(to, ProposePlanReply(), {});
    return Status();
  }
  GetPlanRequest meta;
  AP_RETURN_IF_ERROR(request.Parse(meta));
  const bool ready = cluster_.ready();
  const ClusterView* view = ready ? &cluster_.view() : nullptr;
  // ps_ctl is no node: it reads the plan, but is never asked to make one.
  GetPlanReply reply;
  if (meta.has_node() || job_.members().Find(sender) != nullptr) {
    AP_ASSIGN_OR_RETURN(reply, job_.GetPlan(sender, view, clock_.Now()));
  } else {
    reply.set_ready(ready);
  }
  if (ready) {
    rpc_.Reply(to, reply, {&job_.plan_desk().bytes(), 1});
  } else {
    rpc_.Reply(to, reply, {});
  }
  return Status();
}

Status Scheduler::AnswerReport(Request& request) {
  ReportRequest meta;
  AP_RETURN_IF_ERROR(request.Parse(meta));
  MetricsDelta delta;
  const std::span<const Buffer> bulk = request.message.bulk();
  if (bulk.size() > 1 ||
      (bulk.size() == 1 &&
       !delta.ParseFromArray(bulk[0].data(), static_cast<int>(bulk[0].size())))) {
    return InvalidArgumentError("the metrics of a report cannot be parsed");
  }
  AP_ASSIGN_OR_RETURN(const ReportReply reply, job_.Report(meta, delta, request.header.sender,
                                                           request.header.epoch, clock_.Now()));
  rpc_.Reply(RpcNode::AddressOf(request), reply, {});
  return Status();
}

Status Scheduler::AnswerStatus(const Request& request) {
  StatusRequest meta;
  AP_RETURN_IF_ERROR(request.Parse(meta));
  rpc_.Reply(RpcNode::AddressOf(request), status(meta), {});
  return Status();
}

// --- what time and replies ask for ---------------------------------------------------------------

void Scheduler::Advance(Time now) {
  if (journal_ != nullptr && !journal_->status().ok() && !job_.lifecycle().ended()) {
    Fail(journal_->status().WithContext("the scheduler's journal"));
  }
  job_.Sweep(now);
  if (!job_.lifecycle().ended()) {
    AdvanceExtension();
    AdvanceCluster();
  }
  if (job_.book() != nullptr) {
    AdvanceSnapshot();
    cluster_.recoveries().Observe(job_.book()->replay_samples(), now);
    rate_.Observe(job_.book()->samples_trained(), now);
  }
  if (cluster_.ready()) {
    members_cast_.Advance(job_.clock());
    AdvanceEnd(now);
  }
  // While a round is under way nobody knows yet whether it will have what was trained before it.
  if (journal_ != nullptr && journal_->bytes() >= thin_journal_at_ && job_.metrics() != nullptr &&
      !snapshots_.active()) {
    ThinJournal();
  }
  if (job_.lifecycle().ended()) {
    if (!outputs_ended_) {
      outputs_ended_ = true;
      control_.OnEnd();
      JournalRecord end;
      end.mutable_end()->set_state(job_.lifecycle().state());
      end.mutable_end()->set_reason(job_.lifecycle().result().message());
      Note(std::move(end));
      outputs_.End(View(now));
    }
  } else if (outputs_.Due(now)) {
    outputs_.Show(View(now), now);
  }
}

void Scheduler::ThinJournal() {
  const uint64_t before = journal_->bytes();
  if (const Status status = journal_->Thin(job_.Sums(clock_.Now())); !status.ok()) {
    LOG(WARNING) << "the journal keeps its " << before << " bytes: " << status;
  } else {
    LOG(INFO) << "the journal had " << before << " bytes and has " << journal_->bytes();
  }
  thin_journal_at_ = std::max(options_.journal_thin_bytes, 2 * journal_->bytes());
}

// A round that is being written is of the model as it is, and ends before the model grows.
void Scheduler::AdvanceExtension() {
  if (job_.plan_desk().is_extending() && cluster_.ready() && !snapshots_.active()) {
    job_.Suspend();
    cluster_.Rebuild();
  }
}

void Scheduler::AdvanceCluster() {
  using News = ClusterKeeper::News;
  const PlanDesk& desk = job_.plan_desk();
  job_.GiveUpLost(options_.server_down_timeout, clock_.Now());
  const StatusOr<News> news =
      cluster_.Advance(job_.members(), desk.has_plan() ? &desk.next_plan() : nullptr,
                       !job_.complete() && !desk.is_extending());
  if (cluster_.view().epoch() > seated_epoch_) {
    seated_epoch_ = cluster_.view().epoch();
    job_.Seat(cluster_.view());
  }
  if (!news.ok()) {
    Fail(news.status());
  } else if (*news == News::kLost) {
    OnLost();
  } else if (*news == News::kClosed) {
    job_.Suspend();
  } else if (*news == News::kReady) {
    OnReady();
  }
}

void Scheduler::OnLost() {
  job_.Suspend();
  snapshots_.Abort(UnavailableError("a server was lost meanwhile"));
  final_snapshot_began_ = false;
}

void Scheduler::OnReady() {
  const RestorePoint& from = cluster_.restored_from();
  const bool same_job = SamePartitions(from.manifest.plan(), job_.plan_desk().plan());
  std::vector<PartitionProgress> progress;
  if (!cluster_.was_anything_lost()) {
    progress = job_.book()->Progress();
  } else if (same_job) {
    progress.assign(from.manifest.progress().begin(), from.manifest.progress().end());
  }
  if (!cluster_.was_anything_lost() || cluster_.have_shards_moved()) {
    snapshots_.OnOtherLanes();
  }
  JournalRecord ready;
  *ready.mutable_ready()->mutable_view() = cluster_.view();
  ready.mutable_ready()->mutable_progress()->Assign(progress.begin(), progress.end());
  Note(std::move(ready));
  members_cast_.Forget();
  if (job_.book() != nullptr) {
    const bool is_extension = job_.plan_desk().is_extending();
    job_.Ready(cluster_.view(), progress);
    if (cluster_.was_anything_lost()) {
      cluster_.recoveries().Serving(from.folder, job_.book()->replay_samples(), clock_.Now());
    }
    if (is_extension) {
      control_.OnExtended();
    }
    return;
  }
  if (!from.folder.empty()) {
    LOG(INFO) << "restored " << cluster_.restored_rows() << " rows of " << from.folder
              << (same_job ? "; the job goes on where it stood"
                           : "; its partitions are others, so all of them are trained");
  }
  if (const Status status = snapshots_.CheckPolicy(job_.plan_desk().plan()); !status.ok()) {
    Fail(status);
    return;
  }
  const ClusterView& view = cluster_.view();
  job_.Ready(view, progress);
  LOG(INFO) << "the cluster is ready: " << job_.members().LiveServers() << " servers, "
            << view.lanes_size() << " lanes, " << view.shard_count() << " shards, "
            << ConsistencyName(job_.plan_desk().plan());
}

void Scheduler::AdvanceSnapshot() {
  if (cluster_.wants_snapshot() && !snapshots_.active()) {
    if (const Status status = snapshots_.StartForMove(*job_.book()); !status.ok()) {
      cluster_.NoteMoveSnapshot(status);
    }
    moves_by_round_ = snapshots_.active();
  }
  const bool may_begin = cluster_.ready() && !cluster_.moving() && !job_.plan_desk().is_extending();
  if (!snapshots_.Advance(*job_.metrics(), options_.cluster_id, *job_.book(), may_begin)) {
    return;
  }
  const StatusOr<SnapshotReply>& result = snapshots_.result();
  if (result.ok()) {
    cluster_.NoteSnapshot(result->directory());
    JournalRecord snapshot;
    *snapshot.mutable_snapshot() = *result;
    Note(std::move(snapshot));
  }
  if (std::exchange(moves_by_round_, false)) {
    cluster_.NoteMoveSnapshot(result);
  }
  control_.OnSnapshotEnd();
}

// The job is finished once every partition is done and the last snapshot, if one is wanted, is
// complete.
void Scheduler::AdvanceEnd(Time now) {
  if (job_.lifecycle().ended() || !job_.complete() || snapshots_.active()) {
    return;
  }
  if (options_.snapshot_dir.empty()) {
    job_.lifecycle().Finish(now);
    return;
  }
  if (!final_snapshot_began_) {
    final_snapshot_began_ = true;
    if (const Status status = snapshots_.Start(options_.snapshot_dir, *job_.book()); !status.ok()) {
      Fail(status.WithContext("the snapshot at the end of the job"));
    }
  } else if (!snapshots_.result().ok()) {
    Fail(snapshots_.result().status());
  } else {
    job_.lifecycle().Finish(now);
  }
}

// --- what people see -----------------------------------------------------------------------------

JobView Scheduler::View(Time now) const {
  JobView view;
  view.state = job_.lifecycle().state();
  view.reason = job_.lifecycle().result().message();
  view.servers_expected = options_.servers;
  view.servers = job_.members().LiveServers();
  view.workers_expected = options_.workers_expected;
  view.workers = job_.members().LiveWorkers();
  view.last_snapshot = snapshots_.last_folder();
  view.metrics = job_.metrics();
  if (const LeaseBook* book = job_.book(); book != nullptr) {
    view.samples = book->samples_trained();
    view.samples_planned = book->SamplesPlanned();
    view.replay_samples = book->replay_samples();
    view.seconds = job_.TrainingSeconds(now);
    view.samples_per_second = rate_.PerSecond();
    view.partitions_done = book->partitions_done();
    view.partitions_total = static_cast<uint32_t>(book->entries().size());
  }
  return view;
}

ClusterStatus Scheduler::status(const StatusRequest& request) const {
  const Time now = clock_.Now();
  ClusterStatus status = StatusOf(job_, View(now), request, clock_.WallSeconds(), now);
  status.set_cluster_id(options_.cluster_id);
  status.set_uptime_seconds(SecondsBetween(started_, now));
  cluster_.Describe(&status);
  snapshots_.Describe(&status);
  return status;
}

}  // namespace antiphon
