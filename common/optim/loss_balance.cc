#include "common/optim/loss_balance.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

namespace antiphon {
namespace {

double Sum(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}
double Mean(std::span<const double> values) {
  return Sum(values) / static_cast<double>(values.size());
}

// A row of the block, of its measurements or of its state.
std::span<float> Row(float* rows, size_t row, size_t tasks) {
  return {rows + row * tasks, tasks};
}
std::span<const float> Row(const float* rows, size_t row, size_t tasks) {
  return {rows + row * tasks, tasks};
}

// The tasks that some sample of the step takes part in.
std::vector<size_t> PresentTasks(size_t tasks, const float* measured) {
  std::vector<size_t> present;
  for (size_t k = 0; k < tasks; ++k) {
    if (Row(measured, kTaskPresent, tasks)[k] > 0) {
      present.push_back(k);
    }
  }
  return present;
}

// Counts the weights of a step; `steps` is how many each task has.
void AddToMeans(size_t tasks, const std::vector<size_t>& present, float* values,
                std::span<float> steps) {
  const std::span<const float> weight = Row(values, kTaskWeight, tasks);
  const std::span<float> mean = Row(values, kMeanTaskWeight, tasks);
  for (const size_t k : present) {
    steps[k] += 1;
    mean[k] += (weight[k] - mean[k]) / steps[k];
  }
}

// A block of fewer tasks: its columns are the first ones, the others stay as they are.
Status AdoptColumns(std::span<const float> saved_values, std::span<const float> saved_state,
                    std::span<float> values, std::span<float> state) {
  const size_t tasks = values.size() / kBalanceRows;
  const size_t saved_tasks = saved_values.size() / kBalanceRows;
  const size_t state_rows = state.size() / tasks;
  if (saved_tasks > tasks || saved_tasks * kBalanceRows != saved_values.size() ||
      saved_tasks * state_rows != saved_state.size()) {
    return SizesDiffer(saved_values, saved_state, values, state);
  }
  for (size_t row = 0; row < kBalanceRows; ++row) {
    std::ranges::copy(Row(saved_values.data(), row, saved_tasks),
                      Row(values.data(), row, tasks).begin());
  }
  for (size_t row = 0; row < state_rows; ++row) {
    std::ranges::copy(Row(saved_state.data(), row, saved_tasks),
                      Row(state.data(), row, tasks).begin());
  }
  return Status();
}

// An average that forgets: each step counts `decay` times as much as the one after it. `count` is
// the sum of what the steps count; the first value is the average by itself.
void AddToAverage(float value, float decay, float& average, float& count) {
  count = decay * count + 1;
  average += (value - average) / count;
}

class GradNormRule final : public DenseOptimizer {
 public:
  explicit GradNormRule(const LossBalance& config)
      : config_(config.grad_norm()),
        step_{.alpha = config_.alpha(), .lr = config_.lr(), .min_weight = config_.min_weight()},
        theoretical_(config.initial_loss().begin(), config.initial_loss().end()) {}

  size_t state_floats(size_t n) const override { return n / kBalanceRows * kStateRows; }

  void InitState(size_t n, const float* /*weights*/, float* state) const override {
    std::fill_n(state, state_floats(n), 0.0F);
    std::copy_n(theoretical_.begin(), std::min(theoretical_.size(), n / kBalanceRows),
                Row(state, kInitialLoss, n / kBalanceRows).begin());
  }

  void Apply(size_t n, uint64_t step, const float* measured, float* values,
             float* state) const override {
    const size_t tasks = n / kBalanceRows;
    const std::vector<size_t> present = PresentTasks(tasks, measured);
    for (const size_t k : present) {
      Observe(tasks, k, measured, values, state);
    }
    if (step <= config_.warmup_steps() || present.empty()) {
      return;
    }
    Move(tasks, present, measured, values, state);
    AddToMeans(tasks, present, values, Row(state, kMeanCount, tasks));
  }

  Status Adopt(std::span<const float> saved_values, std::span<const float> saved_state,
               std::span<float> values, std::span<float> state) const override {
    return AdoptColumns(saved_values, saved_state, values, state);
  }

 private:
  enum StateRow : size_t {
    kLossCount,
    kInitialLoss,
    kSlowLoss,
    kSlowCount,
    kMeanCount,
    kStateRows
  };

  // Takes in the loss of task k.
  void Observe(size_t tasks, size_t k, const float* measured, float* values, float* state) const {
    const float loss = Row(measured, kTaskLoss, tasks)[k];
    AddToAverage(loss, config_.loss_decay(), Row(values, kAverageLoss, tasks)[k],
                 Row(state, kLossCount, tasks)[k]);
    float& initial = Row(state, kInitialLoss, tasks)[k];
    float& slow = Row(state, kSlowLoss, tasks)[k];
    float& count = Row(state, kSlowCount, tasks)[k];
    switch (config_.initial_loss()) {
      case GradNormConfig::THEORETICAL:
        return;
      case GradNormConfig::FIXED:
        if (count < static_cast<float>(config_.warmup_steps()) + 1) {
          AddToAverage(loss, 1, slow, count);
          initial = slow;
        }
        return;
      case GradNormConfig::EMA:
        AddToAverage(loss, config_.initial_loss_decay(), slow, count);
        initial = slow;
        return;
      case GradNormConfig::WINDOW:
        AddToAverage(loss, 1, slow, count);
        if (initial == 0 || count >= static_cast<float>(config_.window_steps())) {
          initial = slow;
        }
        if (count >= static_cast<float>(config_.window_steps())) {
          count = 0;
        }
        return;
    }
  }

  void Move(size_t tasks, const std::vector<size_t>& present, const float* measured, float* values,
            const float* state) const {
    std::vector<double> norm;
    std::vector<double> rate;
    std::vector<double> weight;
    for (const size_t k : present) {
      const double initial = Row(state, kInitialLoss, tasks)[k];
      norm.push_back(Row(measured, kGradientNorm, tasks)[k]);
      rate.push_back(initial > 0 ? Row(values, kAverageLoss, tasks)[k] / initial : 1);
      weight.push_back(Row(values, kTaskWeight, tasks)[k]);
    }
    step_.Apply(norm, rate, weight);
    for (size_t i = 0; i < present.size(); ++i) {
      Row(values, kTaskWeight, tasks)[present[i]] = static_cast<float>(weight[i]);
    }
  }

  const GradNormConfig config_;
  const GradNormStep step_;
  const std::vector<float> theoretical_;
};

class DwaRule final : public DenseOptimizer {
 public:
  explicit DwaRule(const DwaConfig& config) : config_(config) {}

  size_t state_floats(size_t n) const override { return n / kBalanceRows * kStateRows; }
  void InitState(size_t n, const float* /*weights*/, float* state) const override {
    std::fill_n(state, state_floats(n), 0.0F);
  }

  void Apply(size_t n, uint64_t step, const float* measured, float* values,
             float* state) const override {
    const size_t tasks = n / kBalanceRows;
    const std::vector<size_t> present = PresentTasks(tasks, measured);
    for (const size_t k : present) {
      AddToAverage(Row(measured, kTaskLoss, tasks)[k], 1, Row(state, kWindowLoss, tasks)[k],
                   Row(state, kWindowCount, tasks)[k]);
    }
    if (step % config_.window_steps() == 0) {
      CloseWindow(tasks, values, state);
    }
    AddToMeans(tasks, present, values, Row(state, kMeanCount, tasks));
  }

  Status Adopt(std::span<const float> saved_values, std::span<const float> saved_state,
               std::span<float> values, std::span<float> state) const override {
    return AdoptColumns(saved_values, saved_state, values, state);
  }

 private:
  enum StateRow : size_t { kWindowLoss, kWindowCount, kLastLoss, kMeanCount, kStateRows };

  // A task with less than two windows behind it keeps its pace.
  void CloseWindow(size_t tasks, float* values, float* state) const {
    std::vector<double> speed(tasks, 1);
    for (size_t k = 0; k < tasks; ++k) {
      float& loss = Row(state, kWindowLoss, tasks)[k];
      float& count = Row(state, kWindowCount, tasks)[k];
      float& last = Row(state, kLastLoss, tasks)[k];
      if (count == 0) {
        continue;
      }
      if (last > 0) {
        speed[k] = double{loss} / last;
      }
      last = loss;
      Row(values, kAverageLoss, tasks)[k] = loss;
      count = 0;
    }
    std::vector<double> weight(tasks);
    DynamicWeights(config_.temperature(), speed, weight);
    std::transform(weight.begin(), weight.end(), Row(values, kTaskWeight, tasks).begin(),
                   [](double w) { return static_cast<float>(w); });
  }

  const DwaConfig config_;
};

}  // namespace

bool CanGoOn(const LossBalance& saved, const LossBalance& planned) {
  return saved.rule_case() == planned.rule_case() && saved.tasks_size() > 0 &&
         saved.tasks_size() <= planned.tasks_size() &&
         std::equal(saved.tasks().begin(), saved.tasks().end(), planned.tasks().begin());
}

void StepMeasurements::Add(std::span<const float> measured) {
  const size_t tasks = measured.size() / kBalanceRows;
  sums_.resize(measured.size());
  for (size_t k = 0; k < tasks; ++k) {
    if (Row(measured.data(), kTaskPresent, tasks)[k] > 0) {
      for (const MeasuredRow row : {kGradientNorm, kTaskLoss, kTaskPresent}) {
        sums_[row * tasks + k] += Row(measured.data(), row, tasks)[k];
      }
    }
  }
  is_empty_ = false;
}

void StepMeasurements::Widen(size_t tasks) {
  const size_t before = sums_.size() / kBalanceRows;
  std::vector<double> widened(tasks * kBalanceRows);
  for (size_t row = 0; row < kBalanceRows; ++row) {
    std::copy_n(sums_.begin() + static_cast<ptrdiff_t>(row * before), before,
                widened.begin() + static_cast<ptrdiff_t>(row * tasks));
  }
  sums_ = std::move(widened);
}

std::span<const float> StepMeasurements::Take() {
  const size_t tasks = sums_.size() / kBalanceRows;
  mean_.resize(sums_.size());
  for (size_t i = 0; i < sums_.size(); ++i) {
    const double pushes = sums_[kTaskPresent * tasks + i % tasks];
    mean_[i] = static_cast<float>(pushes > 0 ? sums_[i] / pushes : 0);
  }
  std::ranges::fill(sums_, 0.0);
  is_empty_ = true;
  return mean_;
}

void GradNormStep::Apply(std::span<const double> norm, std::span<const double> rate,
                         std::span<double> weight) const {
  const double mean_norm = Mean(norm);
  if (!(mean_norm > 0)) {
    return;  // no task moves the shared layer: nothing to balance
  }
  const double former_sum = Sum(weight);
  double mean_weighted = 0;
  for (size_t i = 0; i < norm.size(); ++i) {
    mean_weighted += weight[i] * norm[i] / static_cast<double>(norm.size());
  }
  const double mean_rate = Mean(rate);
  for (size_t i = 0; i < norm.size(); ++i) {
    const double relative = mean_rate > 0 ? rate[i] / mean_rate : 1;
    const double excess = weight[i] * norm[i] - mean_weighted * std::pow(relative, alpha);
    const double sign = excess > 0 ? 1 : excess < 0 ? -1 : 0;
    weight[i] = std::max(weight[i] - lr * sign * norm[i] / mean_norm, min_weight);
  }
  const double scale = former_sum / Sum(weight);
  for (double& w : weight) {
    w *= scale;
  }
}

void DynamicWeights(double temperature, std::span<const double> speed, std::span<double> weight) {
  const double fastest = *std::max_element(speed.begin(), speed.end());
  for (size_t i = 0; i < speed.size(); ++i) {
    weight[i] = std::exp((speed[i] - fastest) / temperature);
  }
  const double scale = static_cast<double>(weight.size()) / Sum(weight);
  for (double& w : weight) {
    w *= scale;
  }
}

StatusOr<std::unique_ptr<DenseOptimizer>> MakeLossBalance(const LossBalance& config) {
  if (config.has_grad_norm()) {
    const GradNormConfig& rule = config.grad_norm();
    if (!(rule.lr() > 0) || !(rule.min_weight() > 0) || !(rule.loss_decay() < 1) ||
        rule.window_steps() == 0) {
      return InvalidArgumentError(
          "grad_norm: expected lr and min_weight above 0, loss_decay below 1 and window_steps from "
          "1");
    }
    return std::unique_ptr<DenseOptimizer>(std::make_unique<GradNormRule>(config));
  }
  if (config.has_dwa()) {
    if (!(config.dwa().temperature() > 0) || config.dwa().window_steps() == 0) {
      return InvalidArgumentError("dwa: expected temperature above 0 and window_steps from 1");
    }
    return std::unique_ptr<DenseOptimizer>(std::make_unique<DwaRule>(config.dwa()));
  }
  return InvalidArgumentError("loss_balance: no rule, expected grad_norm or dwa");
}

}  // namespace antiphon
