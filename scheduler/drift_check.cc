#include "scheduler/drift_check.h"

#include <algorithm>
#include <cstddef>

#include "common/base/text_table.h"

namespace antiphon {
namespace {

// The place of the task in every metric; CheckPlan has seen that it exists.
size_t TaskIndex(const TrainingPlan& plan, const std::string& name) {
  const auto found = std::find(plan.tasks().begin(), plan.tasks().end(), name);
  return static_cast<size_t>(found - plan.tasks().begin());
}

// Collects what is out of bounds of one task.
class Bounds {
 public:
  Bounds(const std::string& task, std::vector<std::string>& lines) : task_(task), lines_(lines) {}

  // Not a number breaks every bound.
  void AtLeast(const char* what, double value, double bound) {
    if (!(value >= bound)) {
      Break(what, value, "at least", bound);
    }
  }
  void AtMost(const char* what, double value, double bound) {
    if (!(value <= bound)) {
      Break(what, value, "at most", bound);
    }
  }

 private:
  void Break(const char* what, double value, const char* side, double bound) {
    lines_.push_back(task_ + ": " + what + " " + FormatFixed(value, 4) + ", expected " + side +
                     " " + FormatFixed(bound, 4));
  }

  const std::string& task_;
  std::vector<std::string>& lines_;
};

}  // namespace

std::vector<std::string> CheckDrift(const TrainingPlan& plan,
                                    const std::vector<TaskSummary>& window,
                                    const std::vector<TaskSummary>& reference) {
  std::vector<std::string> lines;
  for (const DriftAlarm& alarm : plan.watch().drift()) {
    const size_t task = TaskIndex(plan, alarm.tower_name());
    const MetricSummary& now = window[task].all;
    if (now.positives < static_cast<double>(alarm.min_positives())) {
      continue;
    }
    Bounds bounds(alarm.tower_name(), lines);
    if (alarm.has_max_auc_drop() && !reference.empty()) {
      bounds.AtLeast("AUC", now.auc, reference[task].all.auc - alarm.max_auc_drop());
    }
    if (alarm.has_min_pcoc()) {
      bounds.AtLeast("PCOC", now.pcoc, alarm.min_pcoc());
    }
    if (alarm.has_max_pcoc()) {
      bounds.AtMost("PCOC", now.pcoc, alarm.max_pcoc());
    }
  }
  return lines;
}

std::vector<std::string> CheckPromotion(const TrainingPlan& plan,
                                        const std::vector<TaskSummary>& fading) {
  std::vector<std::string> lines;
  for (const Promotion& gate : plan.promotion()) {
    const MetricSummary& total = fading[TaskIndex(plan, gate.tower_name())].all;
    if (total.samples < gate.min_samples()) {
      lines.push_back(gate.tower_name() + ": " + std::to_string(total.samples) +
                      " samples, expected at least " + std::to_string(gate.min_samples()));
      continue;
    }
    Bounds bounds(gate.tower_name(), lines);
    if (gate.has_min_auc()) {
      bounds.AtLeast("AUC", total.auc, gate.min_auc());
    }
    if (gate.has_max_logloss()) {
      bounds.AtMost("log loss", total.logloss, gate.max_logloss());
    }
    if (gate.has_min_pcoc()) {
      bounds.AtLeast("PCOC", total.pcoc, gate.min_pcoc());
    }
    if (gate.has_max_pcoc()) {
      bounds.AtMost("PCOC", total.pcoc, gate.max_pcoc());
    }
  }
  return lines;
}

}  // namespace antiphon
