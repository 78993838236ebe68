#include "common/optim/loss_balance.h"

#include <cmath>
#include <span>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/golden_vector.h"

namespace antiphon {
namespace {

using nlohmann::json;
using testing::DoubleNear;
using testing::ElementsAre;
using testing::FloatNear;
using testing::Pointwise;

// A block with its state, as a lane has it.
class Block {
 public:
  Block(const LossBalance& config, size_t tasks) : tasks_(tasks), values(3 * tasks, 1) {
    auto rule = MakeLossBalance(config);
    CHECK(rule.ok()) << rule.status();
    rule_ = std::move(rule).value();
    state.resize(rule_->state_floats(values.size()));
    rule_->InitState(values.size(), values.data(), state.data());
  }

  void Push(std::vector<float> norm, const std::vector<float>& loss,
            const std::vector<float>& present) {
    std::vector<float> measured = std::move(norm);
    measured.insert(measured.end(), loss.begin(), loss.end());
    measured.insert(measured.end(), present.begin(), present.end());
    rule_->Apply(values.size(), ++step_, measured.data(), values.data(), state.data());
  }

  std::vector<float> row(BalanceRow row) const {
    const auto begin = values.begin() + static_cast<ptrdiff_t>(row * tasks_);
    return {begin, begin + static_cast<ptrdiff_t>(tasks_)};
  }
  std::vector<float> weights() const { return row(kTaskWeight); }

 private:
  const size_t tasks_;
  std::unique_ptr<DenseOptimizer> rule_;
  uint64_t step_ = 0;

 public:
  std::vector<float> values;
  std::vector<float> state;
};

LossBalance GradNormRule(GradNormConfig::InitialLoss initial, float loss_decay = 0) {
  LossBalance config;
  config.mutable_grad_norm()->set_initial_loss(initial);
  config.mutable_grad_norm()->set_loss_decay(loss_decay);
  return config;
}

TEST(GradNormStepTest, EqualsReferenceVectorInDouble) {
  const json vector = LoadVector("gradnorm");
  const json& hyper = vector["inputs"]["hyper"];
  const auto scale = vector["inputs"]["loss_scale"].get<std::vector<double>>();
  const GradNormStep step{
      .alpha = hyper["alpha"], .lr = hyper["lr_w"], .min_weight = hyper["w_min"]};
  for (const json& expected : vector["outputs"]["steps"]) {
    auto weight = expected["w_used"].get<std::vector<double>>();
    auto rate = expected["task_loss"].get<std::vector<double>>();
    for (size_t k = 0; k < rate.size(); ++k) {
      rate[k] /= scale[k] * std::log(2.0);
    }

    step.Apply(expected["norm"].get<std::vector<double>>(), rate, weight);

    EXPECT_THAT(weight,
                Pointwise(DoubleNear(1e-9), expected["w_after"].get<std::vector<double>>()));
  }
}

TEST(GradNormRuleTest, EqualsReferenceVectorInFloat) {
  const json vector = LoadVector("gradnorm");
  LossBalance config = GradNormRule(GradNormConfig::THEORETICAL);
  config.mutable_grad_norm()->set_alpha(vector["inputs"]["hyper"]["alpha"]);
  for (const json& scale : vector["inputs"]["loss_scale"]) {
    config.add_initial_loss(scale.get<float>() * std::log(2.0F));
  }
  Block block(config, 3);
  for (const json& expected : vector["outputs"]["steps"]) {
    block.Push(expected["norm"].get<std::vector<float>>(),
               expected["task_loss"].get<std::vector<float>>(), {1, 1, 1});

    EXPECT_THAT(block.weights(),
                Pointwise(FloatNear(1e-5F), expected["w_after"].get<std::vector<float>>()));
  }
}

TEST(GradNormRuleTest, AbsentTaskKeepsEverythingThatIsItsOwn) {
  for (const auto initial : {GradNormConfig::FIXED, GradNormConfig::EMA, GradNormConfig::WINDOW}) {
    Block block(GradNormRule(initial, 0.9F), 3);
    block.Push({1, 2, 3}, {0.7F, 0.6F, 0.5F}, {1, 1, 1});
    block.Push({1, 2, 4}, {0.6F, 0.6F, 0.5F}, {1, 1, 1});
    const std::vector<float> values = block.values;
    const std::vector<float> state = block.state;

    block.Push({5, 0, 1}, {0.1F, 0, 0.4F}, {1, 0, 1});

    EXPECT_EQ(block.weights()[1], values[1]);
    EXPECT_EQ(block.row(kAverageLoss)[1], values[7]);
    for (size_t row = 0; row < state.size() / 3; ++row) {
      EXPECT_EQ(block.state[3 * row + 1], state[3 * row + 1]) << row;
    }
    EXPECT_NE(block.weights()[0], values[0]);
    EXPECT_NEAR(block.weights()[0] + block.weights()[2], values[0] + values[2], 1e-6);
  }
}

TEST(GradNormRuleTest, WaitsForTheEndOfItsWarmUp) {
  LossBalance config = GradNormRule(GradNormConfig::FIXED);
  config.mutable_grad_norm()->set_warmup_steps(2);
  Block block(config, 2);
  block.Push({1, 9}, {4, 1}, {1, 1});
  block.Push({1, 9}, {2, 1}, {1, 1});
  EXPECT_THAT(block.weights(), ElementsAre(1, 1));

  block.Push({1, 9}, {3, 1}, {1, 1});

  // Both are where they were on the average of three steps: only the norms count.
  EXPECT_THAT(block.weights(), ElementsAre(FloatNear(1.025F - 0.0011F, 0.03F), testing::Lt(1)));
  EXPECT_GT(block.weights()[0], 1);
}

TEST(GradNormRuleTest, MeanOfTheWeightsIsKept) {
  Block block(GradNormRule(GradNormConfig::FIXED), 2);
  std::vector<double> sum(2);
  for (int step = 0; step < 10; ++step) {
    block.Push({1, 4}, {0.5F, 0.5F}, {1, 1});
    sum[0] += block.weights()[0];
    sum[1] += block.weights()[1];
  }

  EXPECT_THAT(block.row(kMeanTaskWeight),
              ElementsAre(FloatNear(static_cast<float>(sum[0] / 10), 1e-6F),
                          FloatNear(static_cast<float>(sum[1] / 10), 1e-6F)));
}

TEST(GradNormRuleTest, BalancesTheNormsWhenAllComeEquallyFar) {
  Block block(GradNormRule(GradNormConfig::FIXED), 2);
  for (int step = 0; step < 2000; ++step) {
    block.Push({1, 100}, {1, 1}, {1, 1});
  }

  EXPECT_NEAR(block.weights()[0], 2, 0.06);
  EXPECT_NEAR(block.weights()[0] + block.weights()[1], 2, 1e-5);
}

TEST(GradNormRuleTest, WindowBeginsAnew) {
  LossBalance config = GradNormRule(GradNormConfig::WINDOW);
  config.mutable_grad_norm()->set_window_steps(2);
  config.mutable_grad_norm()->set_alpha(1);
  Block block(config, 2);
  // From the second window on the first task's loss is half of what it was: equal norms would be
  // left alone if it were not for that, until a window has passed.
  block.Push({1, 1}, {2, 1}, {1, 1});
  block.Push({1, 1}, {2, 1}, {1, 1});
  EXPECT_THAT(block.weights(), ElementsAre(1, 1));
  block.Push({1, 1}, {1, 1}, {1, 1});
  EXPECT_LT(block.weights()[0], 1);
}

TEST(DwaRuleTest, EqualsReferenceVector) {
  const json vector = LoadVector("dwa");
  const auto history = vector["inputs"]["loss_history"].get<std::vector<std::vector<double>>>();
  const auto weights = vector["outputs"]["weights"].get<std::vector<std::vector<double>>>();
  LossBalance config;
  config.mutable_dwa()->set_window_steps(2);
  Block block(config, 3);
  for (size_t t = 0; t < history.size(); ++t) {
    EXPECT_THAT(block.weights(), Pointwise(FloatNear(1e-5F), weights[t])) << t;
    for (const float part : {0.5F, 1.5F}) {  // their mean is the window's loss
      std::vector<float> loss;
      for (const double l : history[t]) {
        loss.push_back(part * static_cast<float>(l));
      }
      block.Push({0, 0, 0}, loss, {1, 1, 1});
    }
    if (t >= 1) {
      std::vector<double> weight(3);
      std::vector<double> speed;
      for (size_t k = 0; k < 3; ++k) {
        speed.push_back(history[t][k] / history[t - 1][k]);
      }
      DynamicWeights(2, speed, weight);
      EXPECT_THAT(weight, Pointwise(DoubleNear(1e-9), weights[t + 1]));
    }
  }
  EXPECT_THAT(block.weights(), Pointwise(FloatNear(1e-5F), weights.back()));
}

TEST(DwaRuleTest, TaskThatIsAbsentForAWindowKeepsItsPace) {
  LossBalance config;
  config.mutable_dwa()->set_window_steps(1);
  Block block(config, 2);
  block.Push({0, 0}, {2, 2}, {1, 1});
  block.Push({0, 0}, {1, 0}, {1, 0});

  EXPECT_THAT(block.row(kAverageLoss), ElementsAre(1, 2));
  EXPECT_LT(block.weights()[0], block.weights()[1]);
}

// A job that has gained a task goes on: the old columns keep their bits, the new one starts afresh.
TEST(LossBalanceTest, AdoptsABlockOfFewerTasks) {
  for (const bool is_dwa : {false, true}) {
    LossBalance config = GradNormRule(GradNormConfig::FIXED, 0.9F);
    if (is_dwa) {
      config.mutable_dwa()->set_window_steps(1);
    }
    Block two(config, 2);
    for (const float loss : {0.7F, 0.5F, 0.4F}) {
      two.Push({1, 3}, {loss, 0.6F}, {1, 1});
    }
    const Block fresh(config, 3);
    Block three(config, 3);
    const auto rule = MakeLossBalance(config).value();

    ASSERT_TRUE(rule->Adopt(two.values, two.state, three.values, three.state).ok());

    for (size_t row = 0; row < 3 + three.state.size() / 3; ++row) {
      const auto at = [row](const Block& block, size_t tasks, size_t k) {
        return row < 3 ? block.values[row * tasks + k] : block.state[(row - 3) * tasks + k];
      };
      EXPECT_EQ(at(three, 3, 0), at(two, 2, 0)) << row;
      EXPECT_EQ(at(three, 3, 1), at(two, 2, 1)) << row;
      EXPECT_EQ(at(three, 3, 2), at(fresh, 3, 2)) << row;
    }
    EXPECT_NE(two.weights()[0], 1);
    EXPECT_EQ(rule->Adopt(three.values, three.state, two.values, two.state).message(),
              is_dwa ? "has 9 values and 12 floats of state, expected 6 and 8"
                     : "has 9 values and 15 floats of state, expected 6 and 10");
  }
}

TEST(LossBalanceTest, GoesOnWithTheSameRuleAndTheSameFirstTasks) {
  LossBalance saved = GradNormRule(GradNormConfig::FIXED);
  saved.add_tasks("click");
  saved.add_tasks("like");
  LossBalance planned = saved;
  EXPECT_TRUE(CanGoOn(saved, planned));
  planned.add_tasks("gift");
  EXPECT_TRUE(CanGoOn(saved, planned));
  EXPECT_FALSE(CanGoOn(planned, saved));
  planned.set_tasks(1, "gift");
  EXPECT_FALSE(CanGoOn(saved, planned));
  planned = saved;
  planned.mutable_dwa();
  EXPECT_FALSE(CanGoOn(saved, planned));
}

TEST(StepMeasurementsTest, AreTheMeanOverThePushesThatATaskWasIn) {
  StepMeasurements step;
  EXPECT_TRUE(step.empty());
  step.Add(std::vector<float>{1, 7, 0.5F, 7, 1, 0});  // norms, losses, present
  step.Add(std::vector<float>{3, 2, 0.7F, 0.3F, 1, 1});
  EXPECT_FALSE(step.empty());

  const std::span<const float> mean = step.Take();
  EXPECT_THAT(std::vector<float>(mean.begin(), mean.end()),
              ElementsAre(2, 2, FloatNear(0.6F, 1e-6F), 0.3F, 1, 1));
  EXPECT_TRUE(step.empty());
  step.Add(std::vector<float>{4, 0, 1, 0, 1, 0});
  EXPECT_THAT(step.Take()[0], 4);
}

TEST(MakeLossBalanceTest, RefusesNumbersThatMakeNoSense) {
  LossBalance none;
  LossBalance no_rate = GradNormRule(GradNormConfig::FIXED);
  no_rate.mutable_grad_norm()->set_lr(0);
  LossBalance no_window;
  no_window.mutable_dwa()->set_window_steps(0);

  for (const LossBalance& config : {none, no_rate, no_window}) {
    EXPECT_EQ(MakeLossBalance(config).status().code(), StatusCode::kInvalidArgument);
  }
}

TEST(MakeBlockOptimizerTest, WantsAllWeightsInOneChunk) {
  BlockSpec block;
  *block.mutable_loss_balance() = GradNormRule(GradNormConfig::FIXED);
  block.set_rows(3);
  block.set_cols(5);

  EXPECT_TRUE(MakeBlockOptimizer(block, 15).ok());
  EXPECT_EQ(MakeBlockOptimizer(block, 14).status().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace antiphon
