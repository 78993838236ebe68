#include "scheduler/report.h"

#include <cmath>

#include <nlohmann/json.hpp>

#include "common/cluster/job_state_name.h"

namespace antiphon {
namespace {

using Json = nlohmann::ordered_json;

Json NumberOrNull(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}

Json MetricJson(const MetricSummary& summary, bool with_gauc) {
  Json json;
  json["samples"] = summary.samples;
  json["auc"] = NumberOrNull(summary.auc);
  json["logloss"] = NumberOrNull(summary.logloss);
  json["pcoc"] = NumberOrNull(summary.pcoc);
  json["ne"] = NumberOrNull(summary.ne);
  if (std::isfinite(summary.mse)) {
    json["mse"] = summary.mse;
    json["mae"] = summary.mae;
  }
  if (std::isfinite(summary.pair_accuracy)) {
    json["pair_accuracy"] = summary.pair_accuracy;
  }
  if (with_gauc) {
    json["gauc"] = NumberOrNull(summary.gauc);
  }
  return json;
}

// GAUC is measured in evaluations only.
enum class Kind { kTraining, kEvaluation };

Json TasksJson(const TrainingPlan& plan, const std::vector<TaskSummary>& tasks, Kind kind) {
  const bool with_gauc = plan.has_gauc() && kind == Kind::kEvaluation;
  Json json = Json::object();
  for (size_t task = 0; task < tasks.size(); ++task) {
    Json& entry = json[plan.tasks(static_cast<int>(task))];
    entry = MetricJson(tasks[task].all, with_gauc);
    for (size_t scene = 0; scene < tasks[task].scenes.size(); ++scene) {
      entry["scenes"][plan.scenes(static_cast<int>(scene))] =
          MetricJson(tasks[task].scenes[scene], with_gauc);
    }
  }
  return json;
}

Json EvaluationJson(const TrainingPlan& plan, const Evaluation& evaluation) {
  Json json;
  json["epoch"] = evaluation.epoch;
  json["samples"] = evaluation.samples_trained;
  json["eval"] = TasksJson(plan, evaluation.tasks, Kind::kEvaluation);
  return json;
}

void AddWindows(Json& json, const MetricsBoard& metrics) {
  const TrainingPlan& plan = metrics.plan();
  json["windows"] = Json::array();
  for (const MetricWindowView& window : metrics.windows()->Newest(plan.watch().keep_windows())) {
    Json entry;
    if (plan.watch().window_seconds() > 0) {
      entry["begin_seconds"] = window.number * plan.watch().window_seconds();
    } else {
      entry["number"] = window.number;
    }
    entry["samples"] = window.samples;
    entry["open"] = window.open;
    entry["tasks"] = TasksJson(plan, window.tasks, Kind::kTraining);
    json["windows"].push_back(std::move(entry));
  }
  json["fading"] = TasksJson(plan, metrics.windows()->Fading(), Kind::kTraining);
  json["alarms"] = metrics.windows()->alarms();
  json["late_for_their_window"] = metrics.windows()->late_samples();
}

void AddMetrics(Json& json, const MetricsBoard& metrics) {
  const TrainingPlan& plan = metrics.plan();
  json["job"] = plan.job_name();
  json["bad_rows"] = metrics.bad_rows();
  const StepSeconds& seconds = metrics.step_seconds();
  json["time"] = {{"steps", seconds.steps()},         {"read_wait", seconds.read_wait()},
                  {"lane_wait", seconds.lane_wait()}, {"copy", seconds.copy()},
                  {"compute", seconds.compute()},     {"other", seconds.other()}};
  json["bad_row_reasons"] = Json::object();
  for (const auto& [reason, count] : metrics.bad_row_reasons()) {
    json["bad_row_reasons"][reason] = count;
  }
  json["eval"] = metrics.evaluations().empty()
                     ? Json::object()
                     : TasksJson(plan, metrics.evaluations().back().tasks, Kind::kEvaluation);
  json["epochs"] = Json::array();
  for (const Evaluation& evaluation : metrics.evaluations()) {
    json["epochs"].push_back(EvaluationJson(plan, evaluation));
  }
  json["train"] = TasksJson(plan, metrics.Training(), Kind::kTraining);
  if (metrics.windows() != nullptr) {
    AddWindows(json, metrics);
  }
  for (size_t task = 0; task < metrics.task_weights().size(); ++task) {
    const WeightSummary& weight = metrics.task_weights()[task];
    json["task_weights"][plan.tasks(static_cast<int>(task))] = {
        {"weight", NumberOrNull(weight.weight)}, {"mean", NumberOrNull(weight.mean)}};
  }
}

}  // namespace

std::string ReportJson(const JobView& job) {
  Json json;
  json["state"] = JobStateName(job.state);
  if (!job.reason.empty()) {
    json["reason"] = job.reason;
  }
  json["samples"] = job.samples;
  json["seconds"] = job.seconds;
  json["samples_per_second"] =
      job.seconds > 0 ? Json(static_cast<double>(job.samples) / job.seconds) : Json(nullptr);
  if (!job.last_snapshot.empty()) {
    json["snapshot"] = job.last_snapshot;
  }
  if (job.metrics != nullptr) {
    AddMetrics(json, *job.metrics);
  }
  // Names come from a job file, which may hold anything: what is not UTF-8 is replaced.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace antiphon
