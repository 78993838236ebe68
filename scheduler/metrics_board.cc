#include "scheduler/metrics_board.h"

#include <algorithm>
#include <limits>

namespace antiphon {
namespace {

// Reasons come from peers; a job has a few dozen at most.
constexpr size_t kMaxReasons = 256;

GaucReduction ReductionOf(const Gauc& gauc) {
  switch (gauc.reduction()) {
    case Gauc::MEAN:
      return GaucReduction::kMean;
    case Gauc::MEAN_BY_POSITIVE_NUM:
      return GaucReduction::kMeanByPositiveNum;
    case Gauc::MEAN_BY_SAMPLE_NUM:
      break;
  }
  return GaucReduction::kMeanBySampleNum;
}

MetricSummary SummaryOf(const TaskSums& sums, const TrainingPlan& plan) {
  const RankingMetrics& metrics = sums.probability;
  MetricSummary summary;
  summary.samples = sums.count();
  summary.auc = metrics.Auc();
  summary.logloss = metrics.LogLoss();
  summary.pcoc = sums.number.count() > 0 ? sums.number.Ratio() : metrics.Pcoc();
  summary.ne = metrics.Ne();
  summary.gauc = plan.has_gauc() && metrics.has_users() ? metrics.Gauc(ReductionOf(plan.gauc()))
                                                        : std::numeric_limits<double>::quiet_NaN();
  summary.mse = sums.number.MeanSquaredError();
  summary.mae = sums.number.MeanAbsoluteError();
  summary.pair_accuracy = sums.order.Accuracy();
  return summary;
}

}  // namespace

MetricsBoard::MetricsBoard(std::shared_ptr<const TrainingPlan> plan)
    : plan_(std::move(plan)),
      scenes_(static_cast<size_t>(std::max(1, plan_->scenes_size()))),
      training_(NewSums()),
      older_(NewSums()),
      newer_(NewSums()),
      evaluation_(NewSums()) {}

MetricsBoard::Sums MetricsBoard::NewSums() const {
  return Sums(static_cast<size_t>(plan_->tasks_size()) * scenes_);
}

StatusOr<MetricsBoard::Parsed> MetricsBoard::Parse(const MetricsDelta& delta) const {
  Parsed parsed;
  for (const TaskMetrics& part : delta.tasks()) {
    if (part.task() >= static_cast<uint32_t>(plan_->tasks_size()) || part.scene() >= scenes_) {
      return InvalidArgumentError("metrics of task " + std::to_string(part.task()) + ", scene " +
                                  std::to_string(part.scene()) + ": the plan has " +
                                  std::to_string(plan_->tasks_size()) + " tasks and " +
                                  std::to_string(scenes_) + " scenes");
    }
    AP_ASSIGN_OR_RETURN(TaskSums sums, TaskSums::FromProto(part));
    parsed.emplace_back(part.task() * scenes_ + part.scene(), std::move(sums));
  }
  return parsed;
}

void MetricsBoard::AddTo(Sums& sums, const Parsed& parts) {
  for (const auto& [index, metrics] : parts) {
    sums[index].Merge(metrics);
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
  TakeTaskWeights(delta);
  AddTo(training_, parsed);
  if (newer_samples_ >= window_samples()) {
    older_ = std::move(newer_);
    newer_ = NewSums();
    newer_samples_ = 0;
  }
  AddTo(newer_, parsed);
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
  evaluations_.push_back(
      {.epoch = epoch, .samples_trained = samples_trained, .tasks = Summarize(evaluation_)});
  evaluation_ = NewSums();
}

std::vector<TaskSummary> MetricsBoard::Recent() const {
  Sums sums = older_;
  for (size_t i = 0; i < sums.size(); ++i) {
    sums[i].Merge(newer_[i]);
  }
  return Summarize(sums);
}

std::vector<TaskSummary> MetricsBoard::Summarize(const Sums& sums) const {
  std::vector<TaskSummary> tasks(static_cast<size_t>(plan_->tasks_size()));
  for (size_t task = 0; task < tasks.size(); ++task) {
    TaskSums all;
    for (size_t scene = 0; scene < scenes_; ++scene) {
      const TaskSums& metrics = sums[task * scenes_ + scene];
      all.Merge(metrics);
      if (plan_->scenes_size() > 0) {
        tasks[task].scenes.push_back(SummaryOf(metrics, *plan_));
      }
    }
    tasks[task].all = SummaryOf(all, *plan_);
  }
  return tasks;
}

}  // namespace antiphon
