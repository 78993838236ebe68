#include "scheduler/metric_windows.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "scheduler/drift_check.h"

namespace antiphon {
namespace {

// Samples of the task that has most of them: every sample counts in some task or in none.
uint64_t SamplesOf(const std::vector<TaskSummary>& tasks) {
  uint64_t samples = 0;
  for (const TaskSummary& task : tasks) {
    samples = std::max(samples, task.all.samples);
  }
  return samples;
}

}  // namespace

MetricWindows::MetricWindows(std::shared_ptr<const TrainingPlan> plan)
    : plan_(std::move(plan)), fading_(NewSceneSums(*plan_)) {}

void MetricWindows::Add(const std::vector<MetricPart>& parts, uint64_t samples) {
  Fade(samples);
  for (const MetricPart& part : parts) {
    fading_[part.index].Merge(part.sums);
  }
  if (by_time()) {
    for (const MetricPart& part : parts) {
      AddByTime(part);
    }
  } else if (plan_->watch().window_samples() > 0) {
    AddBySamples(parts, samples);
  }
}

void MetricWindows::Fade(uint64_t samples) {
  const double half_life = static_cast<double>(plan_->watch().half_life_samples());
  const double factor = std::exp2(-static_cast<double>(samples) / half_life);
  for (TaskSums& sums : fading_) {
    if (sums.count() > 0) {
      sums.Fade(factor);
    }
  }
}

void MetricWindows::AddBySamples(const std::vector<MetricPart>& parts, uint64_t samples) {
  const int64_t number = last_closed_.value_or(-1) + 1;
  Open& window = open_.try_emplace(number, Open{NewSceneSums(*plan_), 0}).first->second;
  for (const MetricPart& part : parts) {
    window.sums[part.index].Merge(part.sums);
  }
  window.samples += samples;
  if (window.samples >= plan_->watch().window_samples()) {
    CloseOldest();
  }
}

void MetricWindows::AddByTime(const MetricPart& part) {
  if (!part.window.has_value()) {
    return;
  }
  const int64_t number = *part.window;
  if (last_closed_.has_value() && number <= *last_closed_) {
    late_samples_ += part.sums.count();
    return;
  }
  const auto [window, is_new] = open_.try_emplace(number, Open{NewSceneSums(*plan_), 0});
  window->second.sums[part.index].Merge(part.sums);
  if (is_new && open_.size() > kOpenWindows) {
    CloseOldest();
  }
}

void MetricWindows::CloseOldest() {
  const auto oldest = open_.begin();
  MetricWindowView view = {.number = oldest->first,
                           .samples = oldest->second.samples,
                           .open = false,
                           .tasks = Summarize(oldest->second.sums, *plan_)};
  if (by_time()) {
    view.samples = SamplesOf(view.tasks);
  }
  last_closed_ = oldest->first;
  open_.erase(oldest);

  std::vector<std::string> alarms = CheckDrift(*plan_, view.tasks, reference_);
  for (const std::string& alarm : alarms) {
    news_.push_back("drift: " + alarm);
  }
  if (alarms.empty() && !alarms_.empty()) {
    news_.push_back("drift: over; no task is off in the last window");
  }
  alarms_ = std::move(alarms);
  reference_ = Fading();

  closed_.push_back(std::move(view));
  if (closed_.size() > plan_->watch().keep_windows()) {
    closed_.pop_front();
  }
}

std::vector<MetricWindowView> MetricWindows::Newest(size_t count) const {
  std::vector<MetricWindowView> windows(closed_.begin(), closed_.end());
  for (const auto& [number, open] : open_) {
    MetricWindowView view = {.number = number,
                             .samples = open.samples,
                             .open = true,
                             .tasks = Summarize(open.sums, *plan_)};
    if (by_time()) {
      view.samples = SamplesOf(view.tasks);
    }
    windows.push_back(std::move(view));
  }
  if (windows.size() > count) {
    windows.erase(windows.begin(), windows.end() - static_cast<ptrdiff_t>(count));
  }
  return windows;
}

std::vector<std::string> MetricWindows::TakeNews() {
  return std::exchange(news_, {});
}

}  // namespace antiphon
