#include "common/optim/dense_optimizer.h"

#include <algorithm>
#include <string>
#include <type_traits>

#include "common/optim/loss_balance.h"
#include "common/optim/update_rule.h"

namespace antiphon {
namespace {

template <typename Rule>
class Chunks final : public DenseOptimizer {
 public:
  explicit Chunks(const Rule& rule) : rule_(rule) {}

  size_t state_floats(size_t n) const override { return rule_.state_floats(n); }
  void InitState(size_t n, const float* weights, float* state) const override {
    rule_.InitState(n, weights, state);
  }
  void Apply(size_t n, uint64_t step, const float* gradient, float* weights,
             float* state) const override {
    rule_.Apply(n, step, gradient, weights, state);
  }

 private:
  Rule rule_;
};

template <typename Rule>
constexpr bool kNeedsWholeRow =
    std::is_same_v<Rule, RowwiseAdagradRule> || std::is_same_v<Rule, GroupFtrlRule>;

}  // namespace

Status DenseOptimizer::Adopt(std::span<const float> saved_weights,
                             std::span<const float> saved_state, std::span<float> weights,
                             std::span<float> state) const {
  if (saved_weights.size() != weights.size() || saved_state.size() != state.size()) {
    return SizesDiffer(saved_weights, saved_state, weights, state);
  }
  std::ranges::copy(saved_weights, weights.begin());
  std::ranges::copy(saved_state, state.begin());
  return Status();
}

Status SizesDiffer(std::span<const float> saved_weights, std::span<const float> saved_state,
                   std::span<const float> weights, std::span<const float> state) {
  return InvalidArgumentError("has " + std::to_string(saved_weights.size()) + " values and " +
                              std::to_string(saved_state.size()) + " floats of state, expected " +
                              std::to_string(weights.size()) + " and " +
                              std::to_string(state.size()));
}

StatusOr<std::unique_ptr<DenseOptimizer>> MakeDenseOptimizer(const OptimizerConfig& config) {
  AP_ASSIGN_OR_RETURN(const UpdateRule chosen, MakeUpdateRule(config));
  auto built = std::visit(
      [](const auto& rule) -> std::unique_ptr<DenseOptimizer> {
        using Rule = std::decay_t<decltype(rule)>;
        if constexpr (kNeedsWholeRow<Rule>) {
          return nullptr;
        } else {
          return std::make_unique<Chunks<Rule>>(rule);
        }
      },
      chosen);
  if (built == nullptr) {
    return InvalidArgumentError(
        "rowwise_adagrad_optimizer and group_ftrl_optimizer work on whole embedding rows and "
        "cannot train dense blocks; give a second optimizer_config, for example adam_optimizer {}");
  }
  return built;
}

StatusOr<std::unique_ptr<DenseOptimizer>> MakeBlockOptimizer(const BlockSpec& block,
                                                             uint32_t chunk_floats) {
  if (!block.has_loss_balance()) {
    return MakeDenseOptimizer(block.optimizer());
  }
  if (block.rows() != kBalanceRows || uint64_t{block.rows()} * block.cols() > chunk_floats) {
    return InvalidArgumentError(
        "it holds the weights of tasks and is " + std::to_string(block.rows()) + " x " +
        std::to_string(block.cols()) + ", expected " + std::to_string(kBalanceRows) +
        " rows and at most " + std::to_string(chunk_floats) + " floats, one chunk");
  }
  return MakeLossBalance(block.loss_balance());
}

}  // namespace antiphon
