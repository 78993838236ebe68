// MetricsBoard: what all workers measured, added up task by task and scene by scene.
//
// Training is measured progressively: on each sample before it is learned. The board keeps the sum
// since the start and that of a window of recent samples. Evaluations are kept stage by stage; what
// a worker measured of an evaluation partition counts once it has finished the partition under its
// own lease, so that a partition which two workers evaluated counts once. Owned by the scheduler's
// thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "common/base/types.h"
#include "common/math/age_histogram.h"
#include "common/math/task_sums.h"
#include "proto/metrics.pb.h"
#include "proto/metrics_state.pb.h"
#include "proto/plan.pb.h"
#include "scheduler/metric_windows.h"
#include "scheduler/task_summary.h"

namespace antiphon {

struct Evaluation {
  uint32_t epoch = 0;
  uint64_t samples_trained = 0;  // when it ended
  std::vector<TaskSummary> tasks;
};

// What a loss_weight_strategy makes of a task's weight, as a worker reported it last.
struct WeightSummary {
  double weight = 0;
  double mean = 0;  // over the steps that set it; NaN where it is not kept
};

class MetricsBoard {
 public:
  explicit MetricsBoard(std::shared_ptr<const TrainingPlan> plan);

  // The plan has got tasks or scenes: what there is goes to their places.
  void Extend(std::shared_ptr<const TrainingPlan> plan);

  // kInvalidArgument, and nothing is added, when the delta contradicts itself or the plan.
  Status AddTraining(const MetricsDelta& delta);

  // Keeps what `worker` measured under its lease until the lease ends well or not.
  Status HoldEvaluation(Incarnation worker, const MetricsDelta& delta);
  void CountEvaluation(Incarnation worker);
  void DropEvaluation(Incarnation worker);
  // All partitions of an evaluation stage have been counted.
  void CloseEvaluation(uint32_t epoch, uint64_t samples_trained);

  std::vector<TaskSummary> Training() const { return Summarize(training_, *plan_); }
  // Over the last window_samples() and up to twice as many.
  std::vector<TaskSummary> Recent() const;
  const std::vector<Evaluation>& evaluations() const { return evaluations_; }
  static constexpr uint64_t window_samples() { return 25'000; }

  // Null unless the job is watched or has conditions for a promotion.
  const MetricWindows* windows() const { return windows_.get(); }
  // What has happened to drift alarms since the last call, for the log.
  std::vector<std::string> TakeNews();

  // From event to training: of the samples of Recent(). Nothing without a time field.
  AgeHistogram RecentAges() const;
  // The latest event time that any worker has seen, in ms since 1970; 0 without one.
  int64_t newest_event_ms() const { return newest_event_ms_; }

  // By task; empty where the weights are fixed, or before the first report.
  const std::vector<WeightSummary>& task_weights() const { return task_weights_; }

  uint64_t bad_rows() const { return bad_rows_; }
  // Of all training threads together.
  const StepSeconds& step_seconds() const { return step_seconds_; }
  const std::map<std::string, uint64_t>& bad_row_reasons() const { return bad_row_reasons_; }
  const TrainingPlan& plan() const { return *plan_; }

  // All of it, and back, in place of what the board knew. kInvalidArgument, and nothing changes,
  // when it is of another plan.
  MetricsState Save() const;
  Status Load(const MetricsState& saved);

 private:
  using Parsed = std::vector<MetricPart>;
  using TaskWeights = google::protobuf::RepeatedPtrField<TaskWeight>;

  static void AddTo(SceneSums& sums, const Parsed& parts);
  void CountRowsAndTime(const MetricsDelta& delta);
  Status CheckTaskWeights(const TaskWeights& weights) const;
  void TakeTaskWeights(const TaskWeights& weights);

  std::shared_ptr<const TrainingPlan> plan_;
  SceneSums training_;
  std::vector<WeightSummary> task_weights_;
  // The window is two halves, so that its memory does not grow with the number of reports.
  SceneSums older_;
  SceneSums newer_;
  AgeHistogram older_ages_;
  AgeHistogram newer_ages_;
  uint64_t newer_samples_ = 0;
  std::map<Incarnation, std::vector<Parsed>> held_;
  SceneSums evaluation_;
  std::vector<Evaluation> evaluations_;
  std::unique_ptr<MetricWindows> windows_;
  int64_t newest_event_ms_ = 0;
  uint64_t bad_rows_ = 0;
  StepSeconds step_seconds_;
  std::map<std::string, uint64_t> bad_row_reasons_;
};

}  // namespace antiphon
