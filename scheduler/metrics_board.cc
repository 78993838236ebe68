#include "scheduler/metrics_board.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "scheduler/metrics_state.h"

namespace antiphon {
namespace {

// Reasons come from peers; a job has a few dozen at most.
constexpr size_t kMaxReasons = 256;

// Of the task that has most of them. What is trained again after a loss is in no task.
uint64_t MeasuredSamples(const std::vector<MetricPart>& parts, size_t scenes) {
  std::map<size_t, uint64_t> by_task;
  uint64_t most = 0;
  for (const MetricPart& part : parts) {
    most = std::max(most, by_task[part.index / scenes] += part.sums.count());
  }
  return most;
}

}  // namespace

MetricsBoard::MetricsBoard(std::shared_ptr<const TrainingPlan> plan)
    : plan_(std::move(plan)),
      training_(NewSceneSums(*plan_)),
      older_(NewSceneSums(*plan_)),
      newer_(NewSceneSums(*plan_)),
      evaluation_(NewSceneSums(*plan_)) {
  if (plan_->has_watch() || plan_->promotion_size() > 0) {
    windows_ = std::make_unique<MetricWindows>(plan_);
  }
}

void MetricsBoard::Extend(std::shared_ptr<const TrainingPlan> plan) {
  const PlanGrowth growth(*plan_, *plan);
  plan_ = std::move(plan);
  for (SceneSums* sums : {&training_, &older_, &newer_, &evaluation_}) {
    *sums = growth.Move(std::move(*sums));
  }
  task_weights_ = growth.MoveTasks(task_weights_,
                                   {.weight = 1, .mean = std::numeric_limits<double>::quiet_NaN()});
  for (Evaluation& evaluation : evaluations_) {
    evaluation.tasks = growth.Move(evaluation.tasks);
  }
  for (auto& [worker, reports] : held_) {
    for (Parsed& parsed : reports) {
      for (MetricPart& part : parsed) {
        part.index = growth.Place(part.index);
      }
    }
  }
  if (windows_ != nullptr) {
    windows_->Extend(plan_, growth);
  } else if (plan_->promotion_size() > 0) {
    windows_ = std::make_unique<MetricWindows>(plan_);
  }
}

void MetricsBoard::AddTo(SceneSums& sums, const Parsed& parts) {
  for (const MetricPart& part : parts) {
    sums[part.index].Merge(part.sums);
  }
}

void MetricsBoard::CountRowsAndTime(const MetricsDelta& delta) {
  bad_rows_ += delta.bad_rows();
  const StepSeconds& seconds = delta.step_seconds();
  step_seconds_.set_steps(step_seconds_.steps() + seconds.steps());
  step_seconds_.set_read_wait(step_seconds_.read_wait() + seconds.read_wait());
  step_seconds_.set_lane_wait(step_seconds_.lane_wait() + seconds.lane_wait());
  step_seconds_.set_copy(step_seconds_.copy() + seconds.copy());
  step_seconds_.set_compute(step_seconds_.compute() + seconds.compute());
  step_seconds_.set_other(step_seconds_.other() + seconds.other());
  for (const BadRowCount& bad : delta.bad_row_reasons()) {
    const bool known = bad_row_reasons_.contains(bad.reason());
    const bool room = bad_row_reasons_.size() < kMaxReasons;
    bad_row_reasons_[known || room ? bad.reason() : "other"] += bad.count();
  }
}

Status MetricsBoard::CheckTaskWeights(const TaskWeights& weights) const {
  for (const TaskWeight& weight : weights) {
    if (weight.task() >= static_cast<uint32_t>(plan_->tasks_size())) {
      return InvalidArgumentError("the weight of task " + std::to_string(weight.task()) +
                                  ": the plan has " + std::to_string(plan_->tasks_size()));
    }
  }
  return Status();
}

void MetricsBoard::TakeTaskWeights(const TaskWeights& weights) {
  for (const TaskWeight& weight : weights) {
    task_weights_.resize(std::max<size_t>(task_weights_.size(), weight.task() + 1));
    task_weights_[weight.task()] = {.weight = weight.weight(),
                                    .mean = weight.has_mean_weight()
                                                ? weight.mean_weight()
                                                : std::numeric_limits<double>::quiet_NaN()};
  }
}

Status MetricsBoard::AddTraining(const MetricsDelta& delta) {
  AP_ASSIGN_OR_RETURN(const Parsed parsed, LoadParts(delta.tasks(), *plan_));
  AP_RETURN_IF_ERROR(CheckTaskWeights(delta.task_weights()));
  AP_ASSIGN_OR_RETURN(const AgeHistogram ages, AgeHistogram::FromProto(delta.ages()));
  TakeTaskWeights(delta.task_weights());
  AddTo(training_, parsed);
  if (newer_samples_ >= window_samples()) {
    older_ = std::move(newer_);
    newer_ = NewSceneSums(*plan_);
    older_ages_ = std::exchange(newer_ages_, {});
    newer_samples_ = 0;
  }
  AddTo(newer_, parsed);
  newer_ages_.Merge(ages);
  newest_event_ms_ = std::max(newest_event_ms_, delta.ages().newest_event_ms());
  if (windows_ != nullptr) {
    windows_->Add(parsed, MeasuredSamples(parsed, SceneCount(*plan_)));
  }
  newer_samples_ += delta.samples();
  CountRowsAndTime(delta);
  return Status();
}

Status MetricsBoard::HoldEvaluation(Incarnation worker, const MetricsDelta& delta) {
  AP_ASSIGN_OR_RETURN(Parsed parsed, LoadParts(delta.tasks(), *plan_));
  held_[worker].push_back(std::move(parsed));
  CountRowsAndTime(delta);
  return Status();
}

void MetricsBoard::CountEvaluation(Incarnation worker) {
  for (const Parsed& parsed : held_[worker]) {
    AddTo(evaluation_, parsed);
  }
  held_.erase(worker);
}

void MetricsBoard::DropEvaluation(Incarnation worker) {
  held_.erase(worker);
}

void MetricsBoard::CloseEvaluation(uint32_t epoch, uint64_t samples_trained) {
  evaluations_.push_back({.epoch = epoch,
                          .samples_trained = samples_trained,
                          .tasks = Summarize(evaluation_, *plan_)});
  evaluation_ = NewSceneSums(*plan_);
}

std::vector<TaskSummary> MetricsBoard::Recent() const {
  SceneSums sums = older_;
  for (size_t i = 0; i < sums.size(); ++i) {
    sums[i].Merge(newer_[i]);
  }
  return Summarize(sums, *plan_);
}

MetricsState MetricsBoard::Save() const {
  MetricsState out;
  SaveSums(training_, *plan_, out.mutable_training());
  SaveSums(older_, *plan_, out.mutable_older());
  SaveSums(newer_, *plan_, out.mutable_newer());
  older_ages_.ToProto(*out.mutable_older_ages());
  newer_ages_.ToProto(*out.mutable_newer_ages());
  out.set_newer_samples(newer_samples_);
  for (size_t task = 0; task < task_weights_.size(); ++task) {
    TaskWeight& weight = *out.add_task_weights();
    weight.set_task(static_cast<uint32_t>(task));
    weight.set_weight(task_weights_[task].weight);
    if (!std::isnan(task_weights_[task].mean)) {
      weight.set_mean_weight(task_weights_[task].mean);
    }
  }
  for (const auto& [worker, reports] : held_) {
    HeldEvaluation& held = *out.add_held();
    held.set_worker(worker);
    for (const Parsed& parsed : reports) {
      SaveParts(parsed, *plan_, held.mutable_parts());
    }
  }
  SaveSums(evaluation_, *plan_, out.mutable_evaluation());
  for (const Evaluation& evaluation : evaluations_) {
    EvaluationState& saved = *out.add_evaluations();
    saved.set_epoch(evaluation.epoch);
    saved.set_samples_trained(evaluation.samples_trained);
    SaveSummaries(evaluation.tasks, saved.mutable_tasks());
  }
  if (windows_ != nullptr) {
    windows_->Save(*out.mutable_windows());
  }
  out.set_newest_event_ms(newest_event_ms_);
  out.set_bad_rows(bad_rows_);
  for (const auto& [reason, count] : bad_row_reasons_) {
    BadRowCount& bad = *out.add_bad_row_reasons();
    bad.set_reason(reason);
    bad.set_count(count);
  }
  *out.mutable_step_seconds() = step_seconds_;
  return out;
}

Status MetricsBoard::Load(const MetricsState& saved) {
  MetricsBoard loaded(plan_);
  AP_ASSIGN_OR_RETURN(loaded.training_, LoadSums(saved.training(), *plan_));
  AP_ASSIGN_OR_RETURN(loaded.older_, LoadSums(saved.older(), *plan_));
  AP_ASSIGN_OR_RETURN(loaded.newer_, LoadSums(saved.newer(), *plan_));
  AP_ASSIGN_OR_RETURN(loaded.older_ages_, AgeHistogram::FromProto(saved.older_ages()));
  AP_ASSIGN_OR_RETURN(loaded.newer_ages_, AgeHistogram::FromProto(saved.newer_ages()));
  loaded.newer_samples_ = saved.newer_samples();
  AP_RETURN_IF_ERROR(CheckTaskWeights(saved.task_weights()));
  loaded.TakeTaskWeights(saved.task_weights());
  for (const HeldEvaluation& held : saved.held()) {
    AP_ASSIGN_OR_RETURN(Parsed parsed, LoadParts(held.parts(), *plan_));
    loaded.held_[held.worker()].push_back(std::move(parsed));
  }
  AP_ASSIGN_OR_RETURN(loaded.evaluation_, LoadSums(saved.evaluation(), *plan_));
  for (const EvaluationState& evaluation : saved.evaluations()) {
    loaded.evaluations_.push_back({.epoch = evaluation.epoch(),
                                   .samples_trained = evaluation.samples_trained(),
                                   .tasks = LoadSummaries(evaluation.tasks())});
  }
  if (windows_ != nullptr) {
    AP_RETURN_IF_ERROR(loaded.windows_->Load(saved.windows()));
  }
  loaded.newest_event_ms_ = saved.newest_event_ms();
  loaded.bad_rows_ = saved.bad_rows();
  for (const BadRowCount& bad : saved.bad_row_reasons()) {
    loaded.bad_row_reasons_[bad.reason()] = bad.count();
  }
  loaded.step_seconds_ = saved.step_seconds();
  *this = std::move(loaded);
  return Status();
}

std::vector<std::string> MetricsBoard::TakeNews() {
  return windows_ != nullptr ? windows_->TakeNews() : std::vector<std::string>();
}

AgeHistogram MetricsBoard::RecentAges() const {
  AgeHistogram ages = older_ages_;
  ages.Merge(newer_ages_);
  return ages;
}

}  // namespace antiphon
