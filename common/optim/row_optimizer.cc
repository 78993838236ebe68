#include "common/optim/row_optimizer.h"

#include <type_traits>
#include <utility>
#include <vector>

#include "common/base/logging.h"
#include "common/optim/update_rule.h"

namespace antiphon {
namespace {

// What part of a row an optimizer works on: all of it, or a segment.
struct RowPart {
  uint32_t dim = 0;      // of the part
  uint32_t first = 0;    // its first weight
  uint32_t row_dim = 0;  // weights of the whole row, and of its gradient
  size_t state = 0;      // where its state begins

  float* weights_of(float* row) const { return row + first; }
  float* state_of(float* row) const { return row + state; }
  const float* gradient_of(const float* gradients, size_t i) const {
    return gradients + i * row_dim + first;
  }
};

// A rule for which the number of the step does not matter.
template <typename Rule>
class PlainRows final : public RowOptimizer {
 public:
  PlainRows(const Rule& rule, const RowPart& part)
      : RowOptimizer(part.dim, rule.state_floats(part.dim)), rule_(rule), part_(part) {}

  void InitState(float* row) const override {
    rule_.InitState(part_.dim, part_.weights_of(row), part_.state_of(row));
  }

  void Apply(std::span<float* const> rows, const float* gradients, uint64_t) const override {
    const RowPart part = part_;
    for (size_t i = 0; i < rows.size(); ++i) {
      if (rows[i] != nullptr) {
        rule_.Apply(part.dim, 1, part.gradient_of(gradients, i), part.weights_of(rows[i]),
                    part.state_of(rows[i]));
      }
    }
  }

 private:
  Rule rule_;
  RowPart part_;
};

// Adam that corrects by the table's pushes: one set of rates for all rows of a push.
class AdamRowsByTable final : public RowOptimizer {
 public:
  AdamRowsByTable(const AdamRule& rule, const RowPart& part)
      : RowOptimizer(part.dim, rule.state_floats(part.dim)), rule_(rule), part_(part) {}

  void InitState(float* row) const override {
    rule_.InitState(part_.dim, part_.weights_of(row), part_.state_of(row));
  }

  void Apply(std::span<float* const> rows, const float* gradients,
             uint64_t table_pushes) const override {
    const RowPart part = part_;
    const AdamRates rates = rule_.RatesAt(table_pushes);
    for (size_t i = 0; i < rows.size(); ++i) {
      if (rows[i] != nullptr) {
        float* const state = part.state_of(rows[i]);
        BestKernels().adam_step(part.dim, rates, part.gradient_of(gradients, i),
                                part.weights_of(rows[i]), state, state + part.dim);
      }
    }
  }

 private:
  AdamRule rule_;
  RowPart part_;
};

// Adam that corrects by each row's own updates. Their number is the last float of its state.
class AdamRowsByRow final : public RowOptimizer {
 public:
  AdamRowsByRow(const AdamRule& rule, const RowPart& part)
      : RowOptimizer(part.dim, rule.state_floats(part.dim) + 1), rule_(rule), part_(part) {
    rates_.reserve(kTabledSteps);
    for (uint64_t step = 1; step <= kTabledSteps; ++step) {
      rates_.push_back(rule_.RatesAt(step));
    }
  }

  void InitState(float* row) const override {
    rule_.InitState(part_.dim, part_.weights_of(row), part_.state_of(row));
    StepsOf(row) = 0;
  }

  void Apply(std::span<float* const> rows, const float* gradients, uint64_t) const override {
    const RowPart part = part_;
    for (size_t i = 0; i < rows.size(); ++i) {
      float* const row = rows[i];
      if (row == nullptr) {
        continue;
      }
      float& steps = StepsOf(row);
      steps += 1;  // stays at 2^24 once it is there
      const auto step = static_cast<uint64_t>(steps);
      const AdamRates rates = step <= kTabledSteps ? rates_[step - 1] : rule_.RatesAt(step);
      float* const state = part.state_of(row);
      BestKernels().adam_step(part.dim, rates, part.gradient_of(gradients, i), part.weights_of(row),
                              state, state + part.dim);
    }
  }

 private:
  float& StepsOf(float* row) const { return part_.state_of(row)[state_floats() - 1]; }

  // Most rows of a long tail never get further, and two powers cost as much as the step itself.
  static constexpr uint64_t kTabledSteps = 1024;

  AdamRule rule_;
  RowPart part_;
  std::vector<AdamRates> rates_;  // of steps 1, 2, ...
};

// Segment by segment over the rows of a push: one virtual call each, none a row.
class SegmentedRows final : public RowOptimizer {
 public:
  SegmentedRows(uint32_t dim, size_t state_floats, std::vector<std::unique_ptr<RowOptimizer>> parts)
      : RowOptimizer(dim, state_floats), parts_(std::move(parts)) {}

  void InitState(float* row) const override {
    for (const auto& part : parts_) {
      part->InitState(row);
    }
  }

  void Apply(std::span<float* const> rows, const float* gradients,
             uint64_t table_pushes) const override {
    for (const auto& part : parts_) {
      part->Apply(rows, gradients, table_pushes);
    }
  }

 private:
  std::vector<std::unique_ptr<RowOptimizer>> parts_;
};

StatusOr<std::unique_ptr<RowOptimizer>> MakePart(const OptimizerConfig& config,
                                                 const RowPart& part) {
  AP_ASSIGN_OR_RETURN(const UpdateRule chosen, MakeUpdateRule(config));
  return std::visit(
      [&part](const auto& rule) -> std::unique_ptr<RowOptimizer> {
        using Rule = std::decay_t<decltype(rule)>;
        if constexpr (!std::is_same_v<Rule, AdamRule>) {
          return std::make_unique<PlainRows<Rule>>(rule, part);
        } else if (rule.count == AdamRule::Count::kTable) {
          return std::make_unique<AdamRowsByTable>(rule, part);
        } else {
          return std::make_unique<AdamRowsByRow>(rule, part);
        }
      },
      chosen);
}

}  // namespace

StatusOr<std::unique_ptr<RowOptimizer>> MakeRowOptimizer(const OptimizerConfig& config,
                                                         uint32_t dim) {
  CHECK_GT(dim, 0U);
  return MakePart(config, {.dim = dim, .row_dim = dim, .state = dim});
}

StatusOr<std::unique_ptr<RowOptimizer>> MakeRowOptimizer(const TableSpec& table) {
  if (table.segments().empty()) {
    return MakeRowOptimizer(table.optimizer(), table.dim());
  }
  std::vector<std::unique_ptr<RowOptimizer>> parts;
  RowPart part{.row_dim = table.dim(), .state = table.dim()};
  for (const RowSegment& segment : table.segments()) {
    part.dim = segment.dim();
    AP_ASSIGN_OR_RETURN(std::unique_ptr<RowOptimizer> made, MakePart(segment.optimizer(), part));
    part.first += part.dim;
    part.state += made->state_floats();
    parts.push_back(std::move(made));
  }
  CHECK_EQ(part.first, table.dim());
  return std::unique_ptr<RowOptimizer>(
      std::make_unique<SegmentedRows>(table.dim(), part.state - table.dim(), std::move(parts)));
}

}  // namespace antiphon
