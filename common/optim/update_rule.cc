#include "common/optim/update_rule.h"

#include <algorithm>
#include <cmath>

namespace antiphon {
namespace {

// Of row-wise Adagrad, as torchrec and FBGEMM have it. Plain Adagrad has none, as TensorFlow.
constexpr float kRowwiseEpsilon = 1e-10F;

// A number of the job file and the range that it must lie in.
Status CheckNumber(const char* field, float value, bool in_range, const char* expected) {
  if (std::isfinite(value) && in_range) {
    return Status();
  }
  return InvalidArgumentError(std::string(field) + " is " + std::to_string(value) + ", expected " +
                              expected);
}

Status CheckPositive(const char* field, float value) {
  return CheckNumber(field, value, value > 0, "a number above 0");
}

Status CheckNotNegative(const char* field, float value) {
  return CheckNumber(field, value, value >= 0, "a number from 0");
}

Status CheckDecay(const char* field, float value) {
  return CheckNumber(field, value, value >= 0 && value < 1, "a number in [0, 1)");
}

template <typename Config>
StatusOr<float> LearningRateOf(const Config& config) {
  const float rate = config.learning_rate().constant_learning_rate().learning_rate();
  AP_RETURN_IF_ERROR(CheckPositive("learning_rate", rate));
  return rate;
}

StatusOr<UpdateRule> Make(const SgdOptimizer& config) {
  SgdRule rule;
  AP_ASSIGN_OR_RETURN(rule.learning_rate, LearningRateOf(config));
  return UpdateRule(rule);
}

StatusOr<UpdateRule> Make(const MomentumOptimizer& config) {
  MomentumRule rule;
  AP_ASSIGN_OR_RETURN(rule.learning_rate, LearningRateOf(config));
  rule.momentum = config.momentum_optimizer_value();
  AP_RETURN_IF_ERROR(CheckDecay("momentum_optimizer_value", rule.momentum));
  return UpdateRule(rule);
}

StatusOr<UpdateRule> Make(const DecayedSums& config) {
  AP_RETURN_IF_ERROR(CheckDecay("decayed_sums.decay", config.decay()));
  return UpdateRule(DecayedSumsRule{.decay = config.decay()});
}

// Both Adagrads divide by the root of the accumulator, so it may not start at 0: a first gradient
// of 0 would give 0/0.
template <typename Rule, typename Config>
StatusOr<UpdateRule> MakeAdagrad(const Config& config) {
  Rule rule;
  AP_ASSIGN_OR_RETURN(rule.learning_rate, LearningRateOf(config));
  rule.initial_accumulator = config.initial_accumulator_value();
  AP_RETURN_IF_ERROR(CheckPositive("initial_accumulator_value", rule.initial_accumulator));
  return UpdateRule(rule);
}

template <typename Config>
StatusOr<AdamRule> MakeAdam(const Config& config) {
  AdamRule rule;
  AP_ASSIGN_OR_RETURN(rule.learning_rate, LearningRateOf(config));
  rule.beta1 = config.beta1();
  rule.beta2 = config.beta2();
  rule.epsilon = config.epsilon();
  AP_RETURN_IF_ERROR(CheckDecay("beta1", rule.beta1));
  AP_RETURN_IF_ERROR(CheckDecay("beta2", rule.beta2));
  AP_RETURN_IF_ERROR(CheckPositive("epsilon", rule.epsilon));
  return rule;
}

StatusOr<UpdateRule> Make(const AdamOptimizer& config) {
  AP_ASSIGN_OR_RETURN(AdamRule rule, MakeAdam(config));
  rule.epsilon_form = config.epsilon_form();
  return UpdateRule(rule);
}

StatusOr<UpdateRule> Make(const LazyAdamOptimizer& config) {
  AP_ASSIGN_OR_RETURN(AdamRule rule, MakeAdam(config));
  if (config.bias_step() == LazyAdamOptimizer::GLOBAL) {
    rule.count = AdamRule::Count::kTable;
  }
  return UpdateRule(rule);
}

StatusOr<UpdateRule> Make(const AdamWOptimizer& config) {
  AP_ASSIGN_OR_RETURN(AdamRule rule, MakeAdam(config));
  rule.epsilon_form = AdamOptimizer::INSIDE;
  rule.weight_decay = config.weight_decay();
  AP_RETURN_IF_ERROR(CheckNotNegative("weight_decay", rule.weight_decay));
  return UpdateRule(rule);
}

template <typename Rule, typename Config>
StatusOr<Rule> MakeProximal(const Config& config) {
  Rule rule;
  AP_ASSIGN_OR_RETURN(const float alpha, LearningRateOf(config));
  AP_RETURN_IF_ERROR(CheckNotNegative("beta", config.beta()));
  AP_RETURN_IF_ERROR(CheckNotNegative("l1_reg", config.l1_reg()));
  AP_RETURN_IF_ERROR(CheckNotNegative("l2_reg", config.l2_reg()));
  rule.initial_accumulator = config.initial_accumulator_value();
  AP_RETURN_IF_ERROR(CheckNotNegative("initial_accumulator_value", rule.initial_accumulator));
  rule.rates.inverse_alpha = 1 / alpha;
  rule.rates.offset = config.beta() / alpha + config.l2_reg();
  rule.rates.l1 = config.l1_reg();
  return rule;
}

// What z is divided by before any gradient: 0 would make 0/0 of the first weights.
template <typename Rule>
Status CheckDenominator(const Rule& rule) {
  if (std::sqrt(rule.initial_accumulator) * rule.rates.inverse_alpha + rule.rates.offset > 0) {
    return Status();
  }
  return InvalidArgumentError(
      "FTRL would divide by 0: expected initial_accumulator_value above 0 (TensorFlow's is 0.1), "
      "or a regularisation l2_reg, or in the proximal form a beta");
}

StatusOr<UpdateRule> Make(const FtrlOptimizer& config) {
  AP_ASSIGN_OR_RETURN(FtrlRule rule, MakeProximal<FtrlRule>(config));
  if (config.form() == FtrlOptimizer::TENSORFLOW) {
    rule.rates.offset = 2 * config.l2_reg();
  }
  AP_RETURN_IF_ERROR(CheckDenominator(rule));
  return UpdateRule(rule);
}

StatusOr<UpdateRule> Make(const GroupFtrlOptimizer& config) {
  AP_ASSIGN_OR_RETURN(GroupFtrlRule rule, MakeProximal<GroupFtrlRule>(config));
  AP_RETURN_IF_ERROR(CheckDenominator(rule));
  return UpdateRule(rule);
}

// The denominator of FTRL's weights at the initial accumulator.
float InitialDenominator(const FtrlRates& rates, float accumulator) {
  return std::sqrt(accumulator) * rates.inverse_alpha + rates.offset;
}

}  // namespace

void SgdRule::Apply(size_t n, uint64_t, const float* gradient, float* weights, float*) const {
  BestKernels().sgd_step(n, learning_rate, gradient, weights);
}

void MomentumRule::InitState(size_t n, const float*, float* state) const {
  std::fill_n(state, n, 0.0F);
}

void MomentumRule::Apply(size_t n, uint64_t, const float* gradient, float* weights,
                         float* state) const {
  BestKernels().momentum_step(n, learning_rate, momentum, gradient, weights, state);
}

void AdagradRule::InitState(size_t n, const float*, float* state) const {
  std::fill_n(state, n, initial_accumulator);
}

void AdagradRule::Apply(size_t n, uint64_t, const float* gradient, float* weights,
                        float* state) const {
  BestKernels().adagrad_row(n, learning_rate, 0, gradient, weights, state);
}

void RowwiseAdagradRule::InitState(size_t, const float*, float* state) const {
  *state = initial_accumulator;
}

void RowwiseAdagradRule::Apply(size_t n, uint64_t, const float* gradient, float* weights,
                               float* state) const {
  BestKernels().rowwise_adagrad_row(n, learning_rate, kRowwiseEpsilon, gradient, weights, state);
}

void AdamRule::InitState(size_t n, const float*, float* state) const {
  std::fill_n(state, 2 * n, 0.0F);
}

AdamRates AdamRule::RatesAt(uint64_t step) const {
  AdamRates rates = epsilon_form == AdamOptimizer::INSIDE
                        ? AdamRatesInside(learning_rate, beta1, beta2, epsilon, step)
                        : AdamRatesOutside(learning_rate, beta1, beta2, epsilon, step);
  rates.keep = 1 - learning_rate * weight_decay;
  return rates;
}

void AdamRule::Apply(size_t n, uint64_t step, const float* gradient, float* weights,
                     float* state) const {
  BestKernels().adam_step(n, RatesAt(step), gradient, weights, state, state + n);
}

void FtrlRule::InitState(size_t n, const float* weights, float* state) const {
  const float denominator = InitialDenominator(rates, initial_accumulator);
  for (size_t i = 0; i < n; ++i) {
    const float beyond = -weights[i] * denominator;
    state[i] = weights[i] == 0 ? 0 : beyond + std::copysign(rates.l1, beyond);
    state[n + i] = initial_accumulator;
  }
}

void FtrlRule::Apply(size_t n, uint64_t, const float* gradient, float* weights,
                     float* state) const {
  BestKernels().ftrl_step(n, rates, gradient, weights, state, state + n);
}

void GroupFtrlRule::InitState(size_t n, const float* weights, float* state) const {
  double squares = 0;
  for (size_t i = 0; i < n; ++i) {
    squares += static_cast<double>(weights[i]) * weights[i];
  }
  const auto norm = static_cast<float>(std::sqrt(squares));
  const float denominator = InitialDenominator(rates, initial_accumulator);
  // z points against the weights, and its length is l1 more than the weights call for.
  const float length = norm == 0 ? 0 : denominator + rates.l1 / norm;
  for (size_t i = 0; i < n; ++i) {
    state[i] = -weights[i] * length;
    state[n + i] = initial_accumulator;
  }
}

void GroupFtrlRule::Apply(size_t n, uint64_t, const float* gradient, float* weights,
                          float* state) const {
  BestKernels().group_ftrl_row(n, rates, gradient, weights, state, state + n);
}

void DecayedSumsRule::Apply(size_t n, uint64_t /*step*/, const float* counted, float* sums,
                            float* /*state*/) const {
  const Kernels& kernels = BestKernels();
  kernels.scale(n, decay, sums);
  kernels.add(n, counted, sums);
}

StatusOr<UpdateRule> MakeUpdateRule(const OptimizerConfig& config) {
  switch (config.optimizer_case()) {
    case OptimizerConfig::kSgdOptimizer:
      return Make(config.sgd_optimizer());
    case OptimizerConfig::kMomentumOptimizer:
      return Make(config.momentum_optimizer());
    case OptimizerConfig::kAdagradOptimizer:
      return MakeAdagrad<AdagradRule>(config.adagrad_optimizer());
    case OptimizerConfig::kRowwiseAdagradOptimizer:
      return MakeAdagrad<RowwiseAdagradRule>(config.rowwise_adagrad_optimizer());
    case OptimizerConfig::kAdamOptimizer:
      return Make(config.adam_optimizer());
    case OptimizerConfig::kLazyAdamOptimizer:
      return Make(config.lazy_adam_optimizer());
    case OptimizerConfig::kAdamwOptimizer:
      return Make(config.adamw_optimizer());
    case OptimizerConfig::kFtrlOptimizer:
      return Make(config.ftrl_optimizer());
    case OptimizerConfig::kGroupFtrlOptimizer:
      return Make(config.group_ftrl_optimizer());
    case OptimizerConfig::kDecayedSums:
      return Make(config.decayed_sums());
    case OptimizerConfig::OPTIMIZER_NOT_SET:
      break;
  }
  return InvalidArgumentError(
      "optimizer_config chooses no optimizer, expected for example rowwise_adagrad_optimizer {}");
}

}  // namespace antiphon
