#include "scheduler/metrics_board.h"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <utility>

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

StatusOr<MetricsBoard::Parsed> MetricsBoard::Parse(const MetricsDelta& delta) const {
  const size_t scenes = SceneCount(*plan_);
  Parsed parsed;
  for (const TaskMetrics& part : delta.tasks()) {
    if (part.task() >= static_cast<uint32_t>(plan_->tasks_size()) || part.scene() >= scenes) {
      return InvalidArgumentError("metrics of task " + std::to_string(part.task()) + ", scene " +
                                  std::to_string(part.scene()) + ": the plan has " +
                                  std::to_string(plan_->tasks_size()) + " tasks and " +
                                  std::to_string(scenes) + " scenes");
    }
    AP_ASSIGN_OR_RETURN(TaskSums sums, TaskSums::FromProto(part));
    parsed.push_back({.index = part.task() * scenes + part.scene(),
                      .window = part.has_window() ? std::optional(part.window()) : std::nullopt,
                      .sums = std::move(sums)});
  }
  return parsed;
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

Status MetricsBoard::CheckTaskWeights(const MetricsDelta& delta) const {
  for (const TaskWeight& weight : delta.task_weights()) {
    if (weight.task() >= static_cast<uint32_t>(plan_->tasks_size())) {
      return InvalidArgumentError("the weight of task " + std::to_string(weight.task()) +
                                  ": the plan has " + std::to_string(plan_->tasks_size()));
    }
  }
  return Status();
}

void MetricsBoard::TakeTaskWeights(const MetricsDelta& delta) {
  for (const TaskWeight& weight : delta.task_weights()) {
    task_weights_.resize(std::max<size_t>(task_weights_.size(), weight.task() + 1));
    task_weights_[weight.task()] = {.weight = weight.weight(),
                                    .mean = weight.has_mean_weight()
                                                ? weight.mean_weight()
                                                : std::numeric_limits<double>::quiet_NaN()};
  }
}

Status MetricsBoard::AddTraining(const MetricsDelta& delta) {
  AP_ASSIGN_OR_RETURN(const Parsed parsed, Parse(delta));
  AP_RETURN_IF_ERROR(CheckTaskWeights(delta));
  AP_ASSIGN_OR_RETURN(const AgeHistogram ages, AgeHistogram::FromProto(delta.ages()));
  TakeTaskWeights(delta);
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
  AP_ASSIGN_OR_RETURN(Parsed parsed, Parse(delta));
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

std::vector<std::string> MetricsBoard::TakeNews() {
  return windows_ != nullptr ? windows_->TakeNews() : std::vector<std::string>();
}

AgeHistogram MetricsBoard::RecentAges() const {
  AgeHistogram ages = older_ages_;
  ages.Merge(newer_ages_);
  return ages;
}

}  // namespace antiphon
