#include "worker/step_metrics.h"

#include <algorithm>

#include "common/base/runs.h"

namespace antiphon {
namespace {

double SampleWeight(const Batch& batch, uint32_t row) {
  return batch.sample_weight.empty() ? 1.0 : double{batch.sample_weight[row]};
}

}  // namespace

StepMetrics::StepMetrics(const TrainingPlan& plan, const TaskTargets& targets)
    : targets_(targets),
      scenes_(std::max<size_t>(1, static_cast<size_t>(plan.scenes_size()))),
      metrics_(static_cast<size_t>(plan.tasks_size()) * scenes_) {}

void StepMetrics::StartRun(Partition::Kind kind) {
  if (evaluating_) {
    MetricsDelta unwanted;
    TakeDelta(unwanted);
  }
  evaluating_ = kind == Partition::EVAL;
}

void StepMetrics::OnStep(const Batch& batch, const StepOutput& output) {
  if (!evaluating_) {
    task_weights_ = output.task_weights;
    mean_task_weights_ = output.mean_task_weights;
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

TaskSums& StepMetrics::SumsOf(size_t task, const Batch& batch, uint32_t row) {
  return metrics_[task * scenes_ + (batch.scene.empty() ? 0 : batch.scene[row])];
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

void StepMetrics::TakeDelta(MetricsDelta& delta) {
  for (size_t i = 0; i < metrics_.size(); ++i) {
    if (metrics_[i].count() == 0) {
      continue;
    }
    TaskMetrics* task = delta.add_tasks();
    task->set_task(static_cast<uint32_t>(i / scenes_));
    task->set_scene(static_cast<uint32_t>(i % scenes_));
    metrics_[i].ToProto(*task);
    metrics_[i] = TaskSums();
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
