// The update rules: what one gradient does to a range of weights and to the state beside them.
//
// A rule knows neither rows nor chunks; RowOptimizer and DenseOptimizer bring the ranges and count
// the steps. State follows the weights' order: for n weights a rule that keeps two numbers a weight
// has n of the first kind, then n of the second. Rules are frozen after creation; any thread may
// use one. The loops themselves are kernels of common/math.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>

#include "common/base/status.h"
#include "common/math/kernels.h"
#include "proto/optimizer.pb.h"

namespace antiphon {

// One step of any rule: `step` is 1 for the first update, and only Adam looks at it.
//   size_t state_floats(size_t n) const;
//   void InitState(size_t n, const float* weights, float* state) const;
//   void Apply(size_t n, uint64_t step, const float* gradient, float* weights, float* state) const;

struct SgdRule {
  float learning_rate = 0;

  size_t state_floats(size_t) const { return 0; }
  void InitState(size_t, const float*, float*) const {}
  void Apply(size_t n, uint64_t step, const float* gradient, float* weights, float* state) const;
};

struct MomentumRule {
  float learning_rate = 0;
  float momentum = 0;

  size_t state_floats(size_t n) const { return n; }
  void InitState(size_t n, const float* weights, float* state) const;
  void Apply(size_t n, uint64_t step, const float* gradient, float* weights, float* state) const;
};

struct AdagradRule {
  float learning_rate = 0;
  float initial_accumulator = 0;

  size_t state_floats(size_t n) const { return n; }
  void InitState(size_t n, const float* weights, float* state) const;
  void Apply(size_t n, uint64_t step, const float* gradient, float* weights, float* state) const;
};

struct RowwiseAdagradRule {
  float learning_rate = 0;
  float initial_accumulator = 0;

  size_t state_floats(size_t) const { return 1; }
  void InitState(size_t n, const float* weights, float* state) const;
  void Apply(size_t n, uint64_t step, const float* gradient, float* weights, float* state) const;
};

// Adam and AdamW. On rows it is lazy: a row that is absent from a push keeps its moments and does
// not decay; the bias correction counts the row's own updates or those of the whole table.
struct AdamRule {
  enum class Count { kOwn, kTable };

  float learning_rate = 0;
  float beta1 = 0;
  float beta2 = 0;
  float epsilon = 0;
  float weight_decay = 0;
  AdamOptimizer::Epsilon epsilon_form = AdamOptimizer::OUTSIDE;
  Count count = Count::kOwn;

  size_t state_floats(size_t n) const { return 2 * n; }
  void InitState(size_t n, const float* weights, float* state) const;
  void Apply(size_t n, uint64_t step, const float* gradient, float* weights, float* state) const;
  AdamRates RatesAt(uint64_t step) const;
};

// FTRL in either form. Its weights are a function of z, so z starts where that function gives the
// initial weights; otherwise the first gradient would wipe them out.
struct FtrlRule {
  FtrlRates rates;
  float initial_accumulator = 0;

  size_t state_floats(size_t n) const { return 2 * n; }
  void InitState(size_t n, const float* weights, float* state) const;
  void Apply(size_t n, uint64_t step, const float* gradient, float* weights, float* state) const;
};

// FTRL with the lasso on the whole range.
struct GroupFtrlRule {
  FtrlRates rates;
  float initial_accumulator = 0;

  size_t state_floats(size_t n) const { return 2 * n; }
  void InitState(size_t n, const float* weights, float* state) const;
  void Apply(size_t n, uint64_t step, const float* gradient, float* weights, float* state) const;
};

// Statistics, not weights: what is pushed was counted, and older counts fade. Sums stay additive
// over workers, which means and variances are not.
struct DecayedSumsRule {
  float decay = 0;

  size_t state_floats(size_t) const { return 0; }
  void InitState(size_t, const float*, float*) const {}
  void Apply(size_t n, uint64_t step, const float* counted, float* sums, float* state) const;
};

using UpdateRule = std::variant<SgdRule, MomentumRule, AdagradRule, RowwiseAdagradRule, AdamRule,
                                FtrlRule, GroupFtrlRule, DecayedSumsRule>;

// The rule that a job file asks for. Every number is checked; the message names the field.
StatusOr<UpdateRule> MakeUpdateRule(const OptimizerConfig& config);

}  // namespace antiphon
