#include "worker/step_metrics.h"

#include <algorithm>

#include "common/base/runs.h"

namespace antiphon {
namespace {

double SampleWeight(const Batch& batch, uint32_t row) {
  return batch.sample_weight.empty() ? 1.0 : double{batch.sample_weight[row]};
}

}  // namespace

StepMetrics::StepMetrics(const TrainingPlan& plan, const TaskTargets& targets, Clock& clock)
    : targets_(targets),
      clock_(clock),
      tasks_(static_cast<size_t>(plan.tasks_size())),
      scenes_(std::max<size_t>(1, static_cast<size_t>(plan.scenes_size()))),
      window_ms_(int64_t{1000} * plan.watch().window_seconds()),
      max_ahead_ms_(int64_t{1000} * plan.watch().max_ahead_seconds()) {}

void StepMetrics::StartRun(Partition::Kind kind) {
  if (evaluating_) {
    MetricsDelta unwanted;
    TakeDelta(unwanted);
  }
  evaluating_ = kind == Partition::EVAL;
}

void StepMetrics::OnStep(const Batch& batch, const StepOutput& output) {
  latest_believed_ms_ =
      max_ahead_ms_ == 0 ? std::numeric_limits<int64_t>::max() : clock_.WallMs() + max_ahead_ms_;
  if (!evaluating_) {
    task_weights_ = output.task_weights;
    mean_task_weights_ = output.mean_task_weights;
    CountAges(batch);
  }
  for (size_t task = 0; task < output.logits.size(); ++task) {
    const LossSpec& loss = targets_.loss(task);
    if (loss.is_ranking()) {
      AddRequests(task, batch, output.logits[task]);
    } else if (loss.is_regression()) {
      AddNumbers(task, batch, output.logits[task]);
    } else {
      AddProbabilities(task, batch, output.logits[task]);
    }
  }
}

void StepMetrics::CountAges(const Batch& batch) {
  if (batch.event_time_ms.empty()) {
    return;
  }
  const int64_t now_ms = clock_.WallMs();
  for (uint32_t row = 0; row < batch.rows; ++row) {
    ages_.Add(now_ms - batch.event_time_ms[row]);
    newest_event_ms_ = std::max(newest_event_ms_, batch.event_time_ms[row]);
  }
}

StepMetrics::Sums& StepMetrics::SumsOfWindow(int64_t window) {
  if (latest_ == nullptr || latest_window_ != window) {
    latest_ = &windows_.try_emplace(window, tasks_ * scenes_).first->second;
    latest_window_ = window;
  }
  return *latest_;
}

// Event times are not negative, so that the quotient is rounded down.
int64_t StepMetrics::WindowOf(int64_t event_time_ms) const {
  return event_time_ms > latest_believed_ms_ ? kNoWindow : event_time_ms / window_ms_;
}

TaskSums& StepMetrics::SumsOf(size_t task, const Batch& batch, uint32_t row) {
  const bool by_time = window_ms_ > 0 && !evaluating_;
  Sums& sums = SumsOfWindow(by_time ? WindowOf(batch.event_time_ms[row]) : 0);
  return sums[task * scenes_ + (batch.scene.empty() ? 0 : batch.scene[row])];
}

void StepMetrics::AddProbabilities(size_t task, const Batch& batch, std::span<const float> logits) {
  const bool with_users = evaluating_ && !batch.user.empty();
  for (uint32_t row = 0; row < batch.rows; ++row) {
    if (targets_.weight(task)[row] == 0) {
      continue;
    }
    RankingMetrics& metrics = SumsOf(task, batch, row).probability;
    const bool positive = targets_.label(task)[row] > 0.5F;
    if (with_users) {
      metrics.AddForUser(batch.user[row], logits[row], positive, SampleWeight(batch, row));
    } else {
      metrics.Add(logits[row], positive, SampleWeight(batch, row));
    }
  }
}

void StepMetrics::AddNumbers(size_t task, const Batch& batch, std::span<const float> outputs) {
  for (uint32_t row = 0; row < batch.rows; ++row) {
    if (targets_.weight(task)[row] != 0) {
      SumsOf(task, batch, row)
          .number.Add(PredictedNumber(targets_.loss(task), outputs[row]), targets_.label(task)[row],
                      SampleWeight(batch, row));
    }
  }
}

void StepMetrics::AddRequests(size_t task, const Batch& batch, std::span<const float> scores) {
  ForEachRun(batch.request.data(), batch.rows, [&](size_t begin, size_t end) {
    request_.clear();
    uint32_t known = 0;  // a row that counts; a request is of one scene
    for (size_t row = begin; row < end; ++row) {
      if (targets_.weight(task)[row] != 0) {
        request_.push_back({.score = scores[row], .label = targets_.label(task)[row]});
        known = static_cast<uint32_t>(row);
      }
    }
    if (!request_.empty()) {
      SumsOf(task, batch, known).order.Add(request_);
    }
  });
}

void StepMetrics::TakeSums(int64_t window, Sums& sums, MetricsDelta& delta) const {
  for (size_t i = 0; i < sums.size(); ++i) {
    if (sums[i].count() == 0) {
      continue;
    }
    TaskMetrics* task = delta.add_tasks();
    task->set_task(static_cast<uint32_t>(i / scenes_));
    task->set_scene(static_cast<uint32_t>(i % scenes_));
    if (window_ms_ > 0 && !evaluating_ && window != kNoWindow) {
      task->set_window(window);
    }
    sums[i].ToProto(*task);
    sums[i] = TaskSums();
  }
}

void StepMetrics::TakeDelta(MetricsDelta& delta) {
  for (auto& [window, sums] : windows_) {
    TakeSums(window, sums, delta);
  }
  if (window_ms_ > 0) {
    windows_.clear();
    latest_ = nullptr;
  }
  if (ages_.count() > 0) {
    ages_.ToProto(*delta.mutable_ages());
    delta.mutable_ages()->set_newest_event_ms(newest_event_ms_);
    ages_ = AgeHistogram();
  }
  for (size_t k = 0; k < task_weights_.size(); ++k) {
    TaskWeight* weight = delta.add_task_weights();
    weight->set_task(static_cast<uint32_t>(k));
    weight->set_weight(task_weights_[k]);
    if (!mean_task_weights_.empty()) {
      weight->set_mean_weight(mean_task_weights_[k]);
    }
  }
  task_weights_.clear();
}

}  // namespace antiphon
