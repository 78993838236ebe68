#include "common/data/field_checks.h"

#include <array>
#include <charconv>
#include <cmath>
#include <set>

#include "common/base/text.h"

namespace antiphon {
namespace {

constexpr double kMaxLearningRate = 1000;

// What every optimizer has.
template <typename Config>
void CheckLearningRate(const std::string& path, const Config& config, FieldChecks& checks) {
  const LearningRate& rate = config.learning_rate();
  const double value = rate.constant_learning_rate().learning_rate();
  const std::string field = path + ".learning_rate.constant_learning_rate.learning_rate";
  if (value > kMaxLearningRate) {
    checks.Range(field, value, 0, kMaxLearningRate);
  } else {
    checks.Positive(field, value);
  }
}

template <typename Config>
void CheckAdam(const std::string& path, const Config& config, FieldChecks& checks) {
  CheckLearningRate(path, config, checks);
  checks.Range(path + ".beta1", config.beta1(), 0, 0.999999);
  checks.Range(path + ".beta2", config.beta2(), 0, 0.999999);
  checks.Positive(path + ".epsilon", config.epsilon());
}

template <typename Config>
void CheckFtrl(const std::string& path, const Config& config, FieldChecks& checks) {
  CheckLearningRate(path, config, checks);
  checks.Range(path + ".beta", config.beta(), 0, 1e6);
  checks.Range(path + ".l1_reg", config.l1_reg(), 0, 1e6);
  checks.Range(path + ".l2_reg", config.l2_reg(), 0, 1e6);
  checks.Range(path + ".initial_accumulator_value", config.initial_accumulator_value(), 0, 1e6);
}

// An accumulator of 0 would divide the first gradient by 0.
template <typename Config>
void CheckAdagrad(const std::string& path, const Config& config, FieldChecks& checks) {
  CheckLearningRate(path, config, checks);
  checks.Positive(path + ".initial_accumulator_value", config.initial_accumulator_value());
}

}  // namespace

std::string ElementPath(const std::string& list, int index) {
  return list + "[" + std::to_string(index) + "]";
}

std::string GotExpected(const std::string& got, const std::string& expected) {
  return "got " + got + ", expected " + expected;
}

std::string NumberText(double value) {
  std::array<char, 32> text;
  // Fields are floats mostly: the shortest text of the float is what the user wrote.
  const auto result =
      static_cast<double>(static_cast<float>(value)) == value
          ? std::to_chars(text.data(), text.data() + text.size(), static_cast<float>(value))
          : std::to_chars(text.data(), text.data() + text.size(), value);
  return std::string(text.data(), result.ptr);
}

void FieldChecks::Range(const std::string& path, uint64_t value, uint64_t lowest,
                        uint64_t highest) {
  if (value < lowest || value > highest) {
    Add(path, GotExpected(std::to_string(value),
                          std::to_string(lowest) + " to " + std::to_string(highest)));
  }
}

void FieldChecks::Range(const std::string& path, double value, double lowest, double highest) {
  if (!(value >= lowest && value <= highest)) {
    Add(path, GotExpected(NumberText(value), NumberText(lowest) + " to " + NumberText(highest)));
  }
}

void FieldChecks::Positive(const std::string& path, double value) {
  if (!(value > 0) || !std::isfinite(value)) {
    Add(path, GotExpected(NumberText(value), "a number above 0"));
  }
}

void FieldChecks::Distinct(const std::string& path, const std::vector<std::string>& values) {
  std::set<std::string> seen;
  for (size_t i = 0; i < values.size(); ++i) {
    const std::string element = ElementPath(path, static_cast<int>(i));
    if (values[i].empty()) {
      Add(element, "got an empty text, expected a name");
    } else if (!seen.insert(values[i]).second) {
      Add(element, "\"" + values[i] + "\" stands here a second time");
    }
  }
}

void FieldChecks::Known(const std::string& path, const std::string& name, std::string_view kind,
                        const std::vector<std::string>& known) {
  for (const std::string& candidate : known) {
    if (candidate == name) {
      return;
    }
  }
  const std::string nearest = NearestName(name, known);
  Add(path, "got \"" + name + "\", expected the name of an " + std::string(kind) +
                (nearest.empty() ? "" : "; did you mean \"" + nearest + "\"?"));
}

void FieldChecks::Optimizer(const std::string& path, const OptimizerConfig& config) {
  switch (config.optimizer_case()) {
    case OptimizerConfig::kSgdOptimizer:
      return CheckLearningRate(path + ".sgd_optimizer", config.sgd_optimizer(), *this);
    case OptimizerConfig::kMomentumOptimizer:
      CheckLearningRate(path + ".momentum_optimizer", config.momentum_optimizer(), *this);
      return Range(path + ".momentum_optimizer.momentum_optimizer_value",
                   config.momentum_optimizer().momentum_optimizer_value(), 0, 0.999999);
    case OptimizerConfig::kAdagradOptimizer:
      return CheckAdagrad(path + ".adagrad_optimizer", config.adagrad_optimizer(), *this);
    case OptimizerConfig::kRowwiseAdagradOptimizer:
      return CheckAdagrad(path + ".rowwise_adagrad_optimizer", config.rowwise_adagrad_optimizer(),
                          *this);
    case OptimizerConfig::kAdamOptimizer:
      return CheckAdam(path + ".adam_optimizer", config.adam_optimizer(), *this);
    case OptimizerConfig::kLazyAdamOptimizer:
      return CheckAdam(path + ".lazy_adam_optimizer", config.lazy_adam_optimizer(), *this);
    case OptimizerConfig::kAdamwOptimizer:
      CheckAdam(path + ".adamw_optimizer", config.adamw_optimizer(), *this);
      return Range(path + ".adamw_optimizer.weight_decay", config.adamw_optimizer().weight_decay(),
                   0, 1);
    case OptimizerConfig::kFtrlOptimizer:
      return CheckFtrl(path + ".ftrl_optimizer", config.ftrl_optimizer(), *this);
    case OptimizerConfig::kGroupFtrlOptimizer:
      return CheckFtrl(path + ".group_ftrl_optimizer", config.group_ftrl_optimizer(), *this);
    case OptimizerConfig::kDecayedSums:
      return Add(path + ".decayed_sums",
                 "keeps statistics and trains nothing, expected an optimizer such as "
                 "adagrad_optimizer { }");
    case OptimizerConfig::OPTIMIZER_NOT_SET:
      return Add(path, "is empty, expected an optimizer such as adagrad_optimizer { }");
  }
}

void FieldChecks::InitialValues(const std::string& path, const Initializer& config) {
  const double highest = 1e6;
  switch (config.initializer_case()) {
    case Initializer::kConstantInitializer:
      return Range(path + ".constant_initializer.value", config.constant_initializer().value(),
                   -highest, highest);
    case Initializer::kNormalInitializer:
      Range(path + ".normal_initializer.mean", config.normal_initializer().mean(), -highest,
            highest);
      return Range(path + ".normal_initializer.stddev", config.normal_initializer().stddev(), 0,
                   highest);
    case Initializer::kUniformInitializer:
      Range(path + ".uniform_initializer.minval", config.uniform_initializer().minval(), -highest,
            highest);
      return Range(path + ".uniform_initializer.maxval", config.uniform_initializer().maxval(),
                   config.uniform_initializer().minval(), highest);
    case Initializer::INITIALIZER_NOT_SET:
      return Add(path, "is empty, expected an initializer such as normal_initializer { }");
  }
}

}  // namespace antiphon
