#include "scheduler/task_summary.h"

#include <algorithm>

namespace antiphon {
namespace {

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
  summary.positives = metrics.positives();
  summary.auc = metrics.Auc();
  summary.logloss = metrics.LogLoss();
  summary.pcoc = sums.number.count() > 0 ? sums.number.Ratio() : metrics.Pcoc();
  summary.ne = metrics.Ne();
  if (plan.has_gauc() && metrics.has_users()) {
    summary.gauc = metrics.Gauc(ReductionOf(plan.gauc()));
  }
  summary.mse = sums.number.MeanSquaredError();
  summary.mae = sums.number.MeanAbsoluteError();
  summary.pair_accuracy = sums.order.Accuracy();
  return summary;
}

}  // namespace

size_t SceneCount(const TrainingPlan& plan) {
  return static_cast<size_t>(std::max(1, plan.scenes_size()));
}

SceneSums NewSceneSums(const TrainingPlan& plan) {
  return SceneSums(static_cast<size_t>(plan.tasks_size()) * SceneCount(plan));
}

std::vector<TaskSummary> Summarize(const SceneSums& sums, const TrainingPlan& plan) {
  const size_t scenes = SceneCount(plan);
  std::vector<TaskSummary> tasks(static_cast<size_t>(plan.tasks_size()));
  for (size_t task = 0; task < tasks.size(); ++task) {
    TaskSums all;
    for (size_t scene = 0; scene < scenes; ++scene) {
      const TaskSums& metrics = sums[task * scenes + scene];
      all.Merge(metrics);
      if (plan.scenes_size() > 0) {
        tasks[task].scenes.push_back(SummaryOf(metrics, plan));
      }
    }
    tasks[task].all = SummaryOf(all, plan);
  }
  return tasks;
}

}  // namespace antiphon
