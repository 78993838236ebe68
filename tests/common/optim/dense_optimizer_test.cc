#include "common/optim/dense_optimizer.h"

#include <memory>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace antiphon {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(DenseOptimizerTest, DecayedSumsAddWhatIsPushedAndForget) {
  OptimizerConfig config;
  config.mutable_decayed_sums()->set_decay(0.5F);
  StatusOr<std::unique_ptr<DenseOptimizer>> optimizer = MakeDenseOptimizer(config);
  ASSERT_TRUE(optimizer.ok()) << optimizer.status();
  EXPECT_EQ((*optimizer)->state_floats(2), 0U);
  std::vector<float> sums = {0, 0};
  const std::vector<float> counted = {8, 2};

  (*optimizer)->Apply(2, 1, counted.data(), sums.data(), nullptr);
  (*optimizer)->Apply(2, 2, counted.data(), sums.data(), nullptr);

  EXPECT_THAT(sums, ElementsAre(12, 3));
}

TEST(DenseOptimizerTest, RefusesADecayThatForgetsNothing) {
  OptimizerConfig config;
  config.mutable_decayed_sums()->set_decay(1);

  EXPECT_THAT(MakeDenseOptimizer(config).status().message(), HasSubstr("decayed_sums.decay"));
}

}  // namespace
}  // namespace antiphon
