#include "scheduler/metrics_state.h"

#include <cmath>
#include <string>
#include <utility>

namespace antiphon {
namespace {

void SetIfDefined(double value, MetricSummaryState& out,
                  void (MetricSummaryState::*set)(double value)) {
  if (!std::isnan(value)) {
    (out.*set)(value);
  }
}

MetricSummaryState Save(const MetricSummary& summary) {
  MetricSummaryState out;
  out.set_samples(summary.samples);
  out.set_positives(summary.positives);
  SetIfDefined(summary.auc, out, &MetricSummaryState::set_auc);
  SetIfDefined(summary.logloss, out, &MetricSummaryState::set_logloss);
  SetIfDefined(summary.pcoc, out, &MetricSummaryState::set_pcoc);
  SetIfDefined(summary.ne, out, &MetricSummaryState::set_ne);
  SetIfDefined(summary.gauc, out, &MetricSummaryState::set_gauc);
  SetIfDefined(summary.mse, out, &MetricSummaryState::set_mse);
  SetIfDefined(summary.mae, out, &MetricSummaryState::set_mae);
  SetIfDefined(summary.pair_accuracy, out, &MetricSummaryState::set_pair_accuracy);
  return out;
}

MetricSummary Load(const MetricSummaryState& saved) {
  const auto value_or_nan = [](bool has, double value) { return has ? value : std::nan(""); };
  return {.samples = saved.samples(),
          .positives = saved.positives(),
          .auc = value_or_nan(saved.has_auc(), saved.auc()),
          .logloss = value_or_nan(saved.has_logloss(), saved.logloss()),
          .pcoc = value_or_nan(saved.has_pcoc(), saved.pcoc()),
          .ne = value_or_nan(saved.has_ne(), saved.ne()),
          .gauc = value_or_nan(saved.has_gauc(), saved.gauc()),
          .mse = value_or_nan(saved.has_mse(), saved.mse()),
          .mae = value_or_nan(saved.has_mae(), saved.mae()),
          .pair_accuracy = value_or_nan(saved.has_pair_accuracy(), saved.pair_accuracy())};
}

void SavePart(const TaskSums& sums, size_t index, const TrainingPlan& plan, TaskMetrics& out) {
  out.set_task(static_cast<uint32_t>(index / SceneCount(plan)));
  out.set_scene(static_cast<uint32_t>(index % SceneCount(plan)));
  sums.ToProto(out);
}

}  // namespace

void SaveSums(const SceneSums& sums, const TrainingPlan& plan, TaskMetricsList* out) {
  for (size_t i = 0; i < sums.size(); ++i) {
    if (sums[i].count() > 0) {
      SavePart(sums[i], i, plan, *out->Add());
    }
  }
}

StatusOr<SceneSums> LoadSums(const TaskMetricsList& saved, const TrainingPlan& plan) {
  AP_ASSIGN_OR_RETURN(std::vector<MetricPart> parts, LoadParts(saved, plan));
  SceneSums sums = NewSceneSums(plan);
  for (MetricPart& part : parts) {
    sums[part.index] = std::move(part.sums);
  }
  return sums;
}

void SaveParts(const std::vector<MetricPart>& parts, const TrainingPlan& plan,
               TaskMetricsList* out) {
  for (const MetricPart& part : parts) {
    TaskMetrics& metrics = *out->Add();
    SavePart(part.sums, part.index, plan, metrics);
    if (part.window.has_value()) {
      metrics.set_window(*part.window);
    }
  }
}

StatusOr<std::vector<MetricPart>> LoadParts(const TaskMetricsList& saved,
                                            const TrainingPlan& plan) {
  const size_t scenes = SceneCount(plan);
  std::vector<MetricPart> parts;
  for (const TaskMetrics& part : saved) {
    if (part.task() >= static_cast<uint32_t>(plan.tasks_size()) || part.scene() >= scenes) {
      return InvalidArgumentError("metrics of task " + std::to_string(part.task()) + ", scene " +
                                  std::to_string(part.scene()) + ": the plan has " +
                                  std::to_string(plan.tasks_size()) + " tasks and " +
                                  std::to_string(scenes) + " scenes");
    }
    AP_ASSIGN_OR_RETURN(TaskSums sums, TaskSums::FromProto(part));
    parts.push_back({.index = part.task() * scenes + part.scene(),
                     .window = part.has_window() ? std::optional(part.window()) : std::nullopt,
                     .sums = std::move(sums)});
  }
  return parts;
}

void SaveSummaries(const std::vector<TaskSummary>& tasks, TaskSummaryList* out) {
  for (const TaskSummary& task : tasks) {
    TaskSummaryState& saved = *out->Add();
    *saved.mutable_all() = Save(task.all);
    for (const MetricSummary& scene : task.scenes) {
      *saved.add_scenes() = Save(scene);
    }
  }
}

std::vector<TaskSummary> LoadSummaries(const TaskSummaryList& saved) {
  std::vector<TaskSummary> tasks;
  for (const TaskSummaryState& task : saved) {
    TaskSummary& summary = tasks.emplace_back();
    summary.all = Load(task.all());
    for (const MetricSummaryState& scene : task.scenes()) {
      summary.scenes.push_back(Load(scene));
    }
  }
  return tasks;
}

}  // namespace antiphon
