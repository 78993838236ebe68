#include "scheduler/metric_windows.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "scheduler/drift_check.h"
#include "scheduler/metrics_state.h"

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

void MetricWindows::Extend(std::shared_ptr<const TrainingPlan> plan, const PlanGrowth& growth) {
  plan_ = std::move(plan);
  fading_ = growth.Move(std::move(fading_));
  for (auto& [number, open] : open_) {
    open.sums = growth.Move(std::move(open.sums));
  }
  for (MetricWindowView& window : closed_) {
    window.tasks = growth.Move(window.tasks);
  }
  reference_ = growth.Move(reference_);
}

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

void MetricWindows::Save(WindowsState& out) const {
  SaveSums(fading_, *plan_, out.mutable_fading());
  for (const auto& [number, open] : open_) {
    OpenWindow& window = *out.add_open();
    window.set_number(number);
    window.set_samples(open.samples);
    SaveSums(open.sums, *plan_, window.mutable_sums());
  }
  for (const MetricWindowView& closed : closed_) {
    ClosedWindow& window = *out.add_closed();
    window.set_number(closed.number);
    window.set_samples(closed.samples);
    SaveSummaries(closed.tasks, window.mutable_tasks());
  }
  if (last_closed_.has_value()) {
    out.set_last_closed(*last_closed_);
  }
  SaveSummaries(reference_, out.mutable_reference());
  out.mutable_alarms()->Assign(alarms_.begin(), alarms_.end());
  out.set_late_samples(late_samples_);
}

Status MetricWindows::Load(const WindowsState& saved) {
  MetricWindows loaded(plan_);
  AP_ASSIGN_OR_RETURN(loaded.fading_, LoadSums(saved.fading(), *plan_));
  for (const OpenWindow& window : saved.open()) {
    AP_ASSIGN_OR_RETURN(SceneSums sums, LoadSums(window.sums(), *plan_));
    loaded.open_.emplace(window.number(), Open{std::move(sums), window.samples()});
  }
  for (const ClosedWindow& window : saved.closed()) {
    loaded.closed_.push_back({.number = window.number(),
                              .samples = window.samples(),
                              .open = false,
                              .tasks = LoadSummaries(window.tasks())});
  }
  if (saved.has_last_closed()) {
    loaded.last_closed_ = saved.last_closed();
  }
  loaded.reference_ = LoadSummaries(saved.reference());
  loaded.alarms_.assign(saved.alarms().begin(), saved.alarms().end());
  loaded.late_samples_ = saved.late_samples();
  *this = std::move(loaded);
  return Status();
}

std::vector<std::string> MetricWindows::TakeNews() {
  return std::exchange(news_, {});
}

}  // namespace antiphon
