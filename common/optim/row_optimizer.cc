#include "common/optim/row_optimizer.h"

#include <type_traits>
#include <utility>
#include <vector>

#include "common/base/logging.h"
#include "common/optim/update_rule.h"

namespace antiphon {
namespace {

// A rule for which the number of the step does not matter.
template <typename Rule>
class PlainRows final : public RowOptimizer {
 public:
  PlainRows(const Rule& rule, uint32_t dim)
      : RowOptimizer(dim, rule.state_floats(dim)), rule_(rule) {}

  void InitState(float* row) const override { rule_.InitState(dim(), row, row + dim()); }

  void Apply(std::span<float* const> rows, const float* gradients, uint64_t) const override {
    const size_t n = dim();
    for (size_t i = 0; i < rows.size(); ++i) {
      if (rows[i] != nullptr) {
        rule_.Apply(n, 1, gradients + i * n, rows[i], rows[i] + n);
      }
    }
  }

 private:
  Rule rule_;
};

// Adam that corrects by the table's pushes: one set of rates for all rows of a push.
class AdamRowsByTable final : public RowOptimizer {
 public:
  AdamRowsByTable(const AdamRule& rule, uint32_t dim)
      : RowOptimizer(dim, rule.state_floats(dim)), rule_(rule) {}

  void InitState(float* row) const override { rule_.InitState(dim(), row, row + dim()); }

  void Apply(std::span<float* const> rows, const float* gradients,
             uint64_t table_pushes) const override {
    const size_t n = dim();
    const AdamRates rates = rule_.RatesAt(table_pushes);
    for (size_t i = 0; i < rows.size(); ++i) {
      if (rows[i] != nullptr) {
        BestKernels().adam_step(n, rates, gradients + i * n, rows[i], rows[i] + n, rows[i] + 2 * n);
      }
    }
  }

 private:
  AdamRule rule_;
};

// Adam that corrects by each row's own updates. Their number is the last float of the row.
class AdamRowsByRow final : public RowOptimizer {
 public:
  AdamRowsByRow(const AdamRule& rule, uint32_t dim)
      : RowOptimizer(dim, rule.state_floats(dim) + 1), rule_(rule) {
    rates_.reserve(kTabledSteps);
    for (uint64_t step = 1; step <= kTabledSteps; ++step) {
      rates_.push_back(rule_.RatesAt(step));
    }
  }

  void InitState(float* row) const override {
    rule_.InitState(dim(), row, row + dim());
    row[row_floats() - 1] = 0;
  }

  void Apply(std::span<float* const> rows, const float* gradients, uint64_t) const override {
    const size_t n = dim();
    for (size_t i = 0; i < rows.size(); ++i) {
      float* const row = rows[i];
      if (row == nullptr) {
        continue;
      }
      float& steps = row[row_floats() - 1];
      steps += 1;  // stays at 2^24 once it is there
      const auto step = static_cast<uint64_t>(steps);
      const AdamRates rates = step <= kTabledSteps ? rates_[step - 1] : rule_.RatesAt(step);
      BestKernels().adam_step(n, rates, gradients + i * n, row, row + n, row + 2 * n);
    }
  }

 private:
  // Most rows of a long tail never get further, and two powers cost as much as the step itself.
  static constexpr uint64_t kTabledSteps = 1024;

  AdamRule rule_;
  std::vector<AdamRates> rates_;  // of steps 1, 2, ...
};

}  // namespace

StatusOr<std::unique_ptr<RowOptimizer>> MakeRowOptimizer(const OptimizerConfig& config,
                                                         uint32_t dim) {
  CHECK_GT(dim, 0U);
  AP_ASSIGN_OR_RETURN(const UpdateRule chosen, MakeUpdateRule(config));
  return std::visit(
      [dim](const auto& rule) -> std::unique_ptr<RowOptimizer> {
        using Rule = std::decay_t<decltype(rule)>;
        if constexpr (!std::is_same_v<Rule, AdamRule>) {
          return std::make_unique<PlainRows<Rule>>(rule, dim);
        } else if (rule.count == AdamRule::Count::kTable) {
          return std::make_unique<AdamRowsByTable>(rule, dim);
        } else {
          return std::make_unique<AdamRowsByRow>(rule, dim);
        }
      },
      chosen);
}

}  // namespace antiphon
