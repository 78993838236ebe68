#include "worker/step_metrics.h"

#include <algorithm>

namespace antiphon {

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
  const bool with_users = evaluating_ && !batch.user.empty();
  for (size_t task = 0; task < output.logits.size(); ++task) {
    const std::span<const float> labels = targets_.label(task);
    const std::span<const float> weights = targets_.weight(task);
    for (uint32_t row = 0; row < batch.rows; ++row) {
      if (weights[row] == 0) {
        continue;
      }
      const size_t scene = batch.scene.empty() ? 0 : batch.scene[row];
      const double weight = batch.sample_weight.empty() ? 1.0 : batch.sample_weight[row];
      RankingMetrics& metrics = metrics_[task * scenes_ + scene];
      const bool positive = labels[row] > 0.5F;
      if (with_users) {
        metrics.AddForUser(batch.user[row], output.logits[task][row], positive, weight);
      } else {
        metrics.Add(output.logits[task][row], positive, weight);
      }
    }
  }
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
    metrics_[i] = RankingMetrics();
  }
}

}  // namespace antiphon
