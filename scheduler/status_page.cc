#include "scheduler/status_page.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

namespace antiphon {
namespace {

// A long job has many partitions, and the whole status must fit into one message: positions are
// shown where somebody is at work.
void KeepLeased(const Conductor& job, LaneStatus& lane) {
  std::set<PartitionId> leased;
  if (job.book() != nullptr) {
    for (const auto& [worker, lease] : job.book()->leases()) {
      leased.insert(lease.partition);
    }
  }
  google::protobuf::RepeatedPtrField<PartitionPosition> kept;
  for (PartitionPosition& position : *lane.mutable_positions()) {
    if (leased.contains(position.partition())) {
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
  status.set_silent_seconds(std::max(0.0, SecondsBetween(node.last_heard, now)));
  for (const LaneStatus& lane : node.lanes) {
    LaneStatus& out = *status.add_lanes();
    out = lane;
    KeepLeased(job, out);
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
    out.set_size(entry.size);
    out.set_evaluation(lease.kind == Partition::EVAL);
  }
}

void AddMetricLine(ClusterStatus& status, const std::string& task, const std::string& scene,
                   const MetricSummary& summary, bool evaluation) {
  if (summary.samples == 0) {
    return;
  }
  MetricLine& line = *status.add_metrics();
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

void AddMetrics(ClusterStatus& status, const TrainingPlan& plan,
                const std::vector<TaskSummary>& tasks, bool evaluation) {
  for (size_t i = 0; i < tasks.size(); ++i) {
    const std::string& task = plan.tasks(static_cast<int>(i));
    AddMetricLine(status, task, "", tasks[i].all, evaluation);
    for (size_t scene = 0; scene < tasks[i].scenes.size(); ++scene) {
      AddMetricLine(status, task, plan.scenes(static_cast<int>(scene)), tasks[i].scenes[scene],
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

ClusterStatus StatusOf(const Conductor& job, const JobView& view, Time now) {
  ClusterStatus status;
  status.set_state(view.state);
  status.set_reason(view.reason);
  for (const Node& node : job.members().nodes()) {
    *status.add_nodes() = StatusOfNode(node, job, now);
  }
  if (job.plan_desk().has_plan()) {
    AddPlan(job.plan_desk().plan(), status);
  }
  if (job.book() == nullptr) {
    return status;
  }
  AddLeases(job, status);
  status.set_samples_trained(view.samples);
  status.set_samples_planned(view.samples_planned);
  status.set_samples_per_second(view.samples_per_second);
  status.set_partitions_done(view.partitions_done);
  status.set_partitions_total(view.partitions_total);
  const MetricsBoard& metrics = *job.metrics();
  AddMetrics(status, metrics.plan(), metrics.Training(), false);
  AddTaskWeights(status, metrics);
  if (!metrics.evaluations().empty()) {
    AddMetrics(status, metrics.plan(), metrics.evaluations().back().tasks, true);
  }
  status.set_bad_rows(metrics.bad_rows());
  return status;
}

}  // namespace antiphon
