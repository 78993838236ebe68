#include "scheduler/status_page.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

namespace antiphon {
namespace {

// A long job has many partitions, and the whole status must fit into one message: positions are
// shown where somebody is at work, and of streams, which are few.
void KeepLeasedAndStreams(const Conductor& job, LaneStatus& lane) {
  std::set<PartitionId> shown;
  if (job.book() != nullptr) {
    for (const auto& [worker, lease] : job.book()->leases()) {
      shown.insert(lease.partition);
    }
    for (PartitionId id = 0; id < job.book()->entries().size(); ++id) {
      if (job.book()->entries()[id].open_ended) {
        shown.insert(id);
      }
    }
  }
  google::protobuf::RepeatedPtrField<PartitionPosition> kept;
  for (PartitionPosition& position : *lane.mutable_positions()) {
    if (shown.contains(position.partition())) {
      *kept.Add() = std::move(position);
    }
  }
  lane.mutable_positions()->Swap(&kept);
}

NodeStatus StatusOfNode(const Node& node, const Conductor& job, Time now) {
  NodeStatus status;
  status.set_role(node.role);
  status.set_node(node.index);
  status.set_host(node.host);
  status.set_pid(node.pid);
  status.set_health(node.health);
  if (node.draining) {
    status.set_draining(true);
  }
  status.set_silent_seconds(std::max(0.0, SecondsBetween(node.last_heard, now)));
  // What one that is gone, or was drained, said last is nobody's any more.
  const std::vector<LaneStatus> none;
  for (const LaneStatus& lane : node.alive() && !node.retired ? node.lanes : none) {
    LaneStatus& out = *status.add_lanes();
    out = lane;
    KeepLeasedAndStreams(job, out);
  }
  if (node.role == ROLE_WORKER) {
    status.set_samples(job.SamplesOf(node.incarnation));
    if (const auto tick = job.clock().TickOf(node.incarnation); tick.has_value()) {
      status.set_tick(*tick);
    }
  }
  return status;
}

void AddLeases(const Conductor& job, ClusterStatus& status) {
  for (const auto& [worker, lease] : job.book()->leases()) {
    const LeaseBook::Entry& entry = job.book()->entries()[lease.partition];
    PartitionStatus& out = *status.add_partitions();
    out.set_partition(lease.partition);
    out.set_worker(job.members().Find(worker)->index);
    out.set_lease_epoch(lease.lease_epoch);
    out.set_position(entry.position);
    if (!entry.open_ended) {
      out.set_size(entry.size);
    }
    out.set_evaluation(lease.kind == Partition::EVAL);
  }
}

void AddStreams(const Conductor& job, Time now, ClusterStatus& status) {
  const TrainingPlan& plan = job.plan_desk().plan();
  for (PartitionId id = 0; id < job.book()->entries().size(); ++id) {
    const LeaseBook::Entry& entry = job.book()->entries()[id];
    if (!entry.open_ended) {
      continue;
    }
    StreamStatus& out = *status.add_streams();
    out.set_partition(id);
    out.set_name(plan.partitions(static_cast<int>(id)).path());
    out.set_position(entry.position);
    out.set_records(entry.records);
    out.set_done(entry.done);
    if (const Node* holder = job.members().Find(entry.holder); holder != nullptr) {
      out.set_worker(holder->index);
    }
    if (const auto heard = job.streams().find(id); heard != job.streams().end()) {
      *out.mutable_last() = heard->second.report;
      out.set_report_age_seconds(SecondsBetween(heard->second.at, now));
    }
  }
}

using MetricLines = google::protobuf::RepeatedPtrField<MetricLine>;

void AddMetricLine(MetricLines& lines, const std::string& task, const std::string& scene,
                   const MetricSummary& summary, bool evaluation) {
  if (summary.samples == 0) {
    return;
  }
  MetricLine& line = *lines.Add();
  line.set_task(task);
  line.set_scene(scene);
  line.set_samples(static_cast<double>(summary.samples));
  line.set_auc(summary.auc);
  line.set_logloss(summary.logloss);
  line.set_pcoc(summary.pcoc);
  line.set_ne(summary.ne);
  line.set_evaluation(evaluation);
  if (std::isfinite(summary.mse)) {
    line.set_mse(summary.mse);
    line.set_mae(summary.mae);
  }
  if (std::isfinite(summary.pair_accuracy)) {
    line.set_pair_accuracy(summary.pair_accuracy);
  }
}

void AddMetrics(MetricLines& lines, const TrainingPlan& plan, const std::vector<TaskSummary>& tasks,
                bool evaluation) {
  for (size_t i = 0; i < tasks.size(); ++i) {
    const std::string& task = plan.tasks(static_cast<int>(i));
    AddMetricLine(lines, task, "", tasks[i].all, evaluation);
    for (size_t scene = 0; scene < tasks[i].scenes.size(); ++scene) {
      AddMetricLine(lines, task, plan.scenes(static_cast<int>(scene)), tasks[i].scenes[scene],
                    evaluation);
    }
  }
}

// To the training lines of all scenes.
void AddTaskWeights(ClusterStatus& status, const MetricsBoard& metrics) {
  for (MetricLine& line : *status.mutable_metrics()) {
    for (size_t task = 0; task < metrics.task_weights().size(); ++task) {
      if (line.scene().empty() && line.task() == metrics.plan().tasks(static_cast<int>(task))) {
        const WeightSummary& weight = metrics.task_weights()[task];
        line.set_weight(weight.weight);
        if (std::isfinite(weight.mean)) {
          line.set_mean_weight(weight.mean);
        }
      }
    }
  }
}

void AddWindows(const MetricsBoard& metrics, size_t count, ClusterStatus& status) {
  const TrainingPlan& plan = metrics.plan();
  const MetricWindows& windows = *metrics.windows();
  for (const MetricWindowView& window : windows.Newest(count)) {
    MetricWindow& out = *status.add_windows();
    if (plan.watch().window_seconds() > 0) {
      out.set_begin_seconds(window.number * plan.watch().window_seconds());
    } else {
      out.set_number(static_cast<uint64_t>(window.number));
    }
    out.set_samples(window.samples);
    out.set_open(window.open);
    AddMetrics(*out.mutable_metrics(), plan, window.tasks, false);
  }
  AddMetrics(*status.mutable_fading(), plan, windows.Fading(), false);
  status.mutable_alarms()->Assign(windows.alarms().begin(), windows.alarms().end());
}

void AddAges(const MetricsBoard& metrics, int64_t wall_seconds, ClusterStatus& status) {
  const AgeHistogram ages = metrics.RecentAges();
  if (ages.count() > 0) {
    status.set_sample_age_p50_seconds(ages.Quantile(0.5) / 1000);
    status.set_sample_age_p99_seconds(ages.Quantile(0.99) / 1000);
    status.set_event_lag_seconds(static_cast<double>(wall_seconds) -
                                 static_cast<double>(metrics.newest_event_ms()) / 1000);
  }
}

void AddPlan(const TrainingPlan& plan, ClusterStatus& status) {
  status.set_job_name(plan.job_name());
  status.set_consistency(ConsistencyName(plan));
  for (const TableSpec& table : plan.schema().tables()) {
    status.add_table_names(table.name());
    status.add_table_dims(table.dim());
  }
}

}  // namespace

std::string ConsistencyName(const TrainingPlan& plan) {
  if (!plan.has_max_staleness()) {
    return "ASP";
  }
  return plan.max_staleness() == 0 ? "BSP" : "SSP(" + std::to_string(plan.max_staleness()) + ")";
}

ClusterStatus StatusOf(const Conductor& job, const JobView& view, const StatusRequest& request,
                       int64_t wall_seconds, Time now) {
  ClusterStatus status;
  status.set_state(view.state);
  status.set_reason(view.reason);
  for (const Node& node : job.members().nodes()) {
    // Of the servers of a slot, the last one counts; one that was drained is shown until it is
    // gone.
    const bool is_leaving = node.retired && node.alive();
    if (node.role == ROLE_SERVER && job.members().ServerOf(node.index) != &node && !is_leaving) {
      continue;
    }
    *status.add_nodes() = StatusOfNode(node, job, now);
  }
  if (job.plan_desk().has_plan()) {
    AddPlan(job.plan_desk().plan(), status);
  }
  if (job.book() == nullptr) {
    return status;
  }
  AddLeases(job, status);
  AddStreams(job, now, status);
  status.set_samples_trained(view.samples);
  status.set_samples_planned(view.samples_planned);
  status.set_replay_samples(view.replay_samples);
  status.set_samples_per_second(view.samples_per_second);
  status.set_partitions_done(view.partitions_done);
  status.set_partitions_total(view.partitions_total);
  const MetricsBoard& metrics = *job.metrics();
  AddMetrics(*status.mutable_metrics(), metrics.plan(), metrics.Training(), false);
  AddTaskWeights(status, metrics);
  if (!metrics.evaluations().empty()) {
    AddMetrics(*status.mutable_metrics(), metrics.plan(), metrics.evaluations().back().tasks, true);
  }
  status.set_bad_rows(metrics.bad_rows());
  if (metrics.windows() != nullptr) {
    AddWindows(metrics, request.windows(), status);
  }
  AddAges(metrics, wall_seconds, status);
  return status;
}

}  // namespace antiphon
