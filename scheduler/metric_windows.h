// MetricWindows: how a model that never stops does lately: window by window, and in totals in which
// old samples fade.
//
// All of it is progressive validation: predictions that were made before the update. A window is a
// number of samples or a span of event time, as the job's `watch` says. Windows of event time stay
// open while their neighbours fill, because partitions are not read in step; what comes for one
// that has closed counts in the totals and as late. When a window closes, the job's drift alarms
// look at it. A state machine without a clock; owned by the scheduler's thread.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "proto/metrics_state.pb.h"
#include "proto/plan.pb.h"
#include "scheduler/plan_growth.h"
#include "scheduler/task_summary.h"

namespace antiphon {

// One task in one scene, of one report.
struct MetricPart {
  size_t index = 0;  // of SceneSums
  std::optional<int64_t> window;
  TaskSums sums;
};

struct MetricWindowView {
  int64_t number = 0;  // of event time: begins at number * window_seconds
  uint64_t samples = 0;
  bool open = false;
  std::vector<TaskSummary> tasks;
};

class MetricWindows {
 public:
  explicit MetricWindows(std::shared_ptr<const TrainingPlan> plan);

  // What a worker measured of `samples` samples.
  void Add(const std::vector<MetricPart>& parts, uint64_t samples);

  // The plan has got tasks or scenes: what there is goes to their places.
  void Extend(std::shared_ptr<const TrainingPlan> plan, const PlanGrowth& growth);

  // The newest `count` windows, the oldest first, open ones behind them.
  std::vector<MetricWindowView> Newest(size_t count) const;
  // Totals in which a sample counts half after half_life_samples later ones.
  std::vector<TaskSummary> Fading() const { return Summarize(fading_, *plan_); }

  // What the last window that closed is off by; one line each.
  const std::vector<std::string>& alarms() const { return alarms_; }
  // What has happened to alarms since the last call, for the log.
  std::vector<std::string> TakeNews();

  // That came after their window had closed.
  uint64_t late_samples() const { return late_samples_; }

  // All of it but news that nobody has taken, and back. kInvalidArgument: it is of another plan.
  void Save(WindowsState& out) const;
  Status Load(const WindowsState& saved);

 private:
  // Of event time: partitions may be this many windows apart.
  static constexpr size_t kOpenWindows = 4;

  struct Open {
    SceneSums sums;
    uint64_t samples = 0;
  };

  void Fade(uint64_t samples);
  void AddBySamples(const std::vector<MetricPart>& parts, uint64_t samples);
  void AddByTime(const MetricPart& part);
  void CloseOldest();
  bool by_time() const { return plan_->watch().window_seconds() > 0; }

  std::shared_ptr<const TrainingPlan> plan_;
  SceneSums fading_;
  std::map<int64_t, Open> open_;  // by number; one at most where windows are counted in samples
  std::deque<MetricWindowView> closed_;
  std::optional<int64_t> last_closed_;
  // The fading totals as they stood when a window closed last: what the next one is compared with.
  std::vector<TaskSummary> reference_;
  std::vector<std::string> alarms_;
  std::vector<std::string> news_;
  uint64_t late_samples_ = 0;
};

}  // namespace antiphon
