#include "models/task_gradients.h"

#include <numeric>
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

using Matrix = std::vector<std::vector<double>>;

Matrix InnerProducts(const Matrix& g) {
  Matrix inner(g.size(), std::vector<double>(g.size()));
  for (size_t i = 0; i < g.size(); ++i) {
    for (size_t j = 0; j < g.size(); ++j)
      inner[i][j] = std::inner_product(g[i].begin(), g[i].end(), g[j].begin(), 0.0);
  }
  return inner;
}

TEST(ConflictFreeMultipliersTest, GiveTheUpdateOfTheReferenceVector) {
  const json vector = LoadVector("pcgrad");
  const auto gradients = vector["inputs"]["grads"].get<Matrix>();
  for (const json& expected : vector["outputs"]["cases"]) {
    const auto order = expected["order"].get<std::vector<size_t>>();

    const std::vector<double> m =
        ConflictFreeMultipliers(InnerProducts(gradients), {order, order, order});

    std::vector<double> update(gradients[0].size());
    for (size_t c = 0; c < m.size(); ++c) {
      for (size_t i = 0; i < update.size(); ++i)
        update[i] += m[c] * gradients[c][i];
    }
    EXPECT_THAT(update, Pointwise(DoubleNear(1e-9), expected["sum"].get<std::vector<double>>()));
  }
}

TEST(ConflictFreeMultipliersTest, LeaveTasksAloneThatAgreeOrAreNotThere) {
  const Matrix agree = {{1, 0.5, 0}, {0.5, 2, 0}, {0, 0, 0}};
  const std::vector<size_t> order = {0, 1, 2};

  EXPECT_THAT(ConflictFreeMultipliers(agree, {order, order, order}), ElementsAre(1, 1, 1));
}

class TaskGradientsTest : public testing::Test {
 protected:
  // Puts `gradients` into two blocks, of which empty ones are not live, and takes them.
  void Take(TaskGradients& of, size_t k, std::vector<float> shared, std::vector<float> own) {
    GradBuffer<float> buffers[] = {
        {.data = shared.data(), .size = shared.size(), .live = !shared.empty()},
        {.data = own.data(), .size = own.size(), .live = !own.empty()}};
    of.Take(k, buffers);
    EXPECT_FALSE(buffers[0].live);
  }

  StepGradients Write(const TaskGradients& of) {
    StepGradients gradients;
    gradients.blocks = {{0, 0}, {0}};
    gradients.block_present = {0, 0};
    const BlockId places[] = {0, 1};
    of.WriteTo(1, places, gradients);
    return gradients;
  }
};

TEST_F(TaskGradientsTest, ProjectsWhatIsSharedAndNothingElse) {
  TaskGradients gradients;
  gradients.Start(2, 2);
  Take(gradients, 0, {1, 0}, {7});
  Take(gradients, 1, {-1, 1}, {});

  const StepGradients written = Write(gradients);

  // g_0 - <g_0, g_1>/2 g_1 = (.5, .5); g_1 + g_0 = (0, 1).
  EXPECT_THAT(written.blocks[0], ElementsAre(FloatNear(0.5F, 1e-6F), FloatNear(1.5F, 1e-6F)));
  EXPECT_THAT(written.blocks[1], ElementsAre(7));
  EXPECT_THAT(written.block_present, ElementsAre(1, 1));
}

TEST_F(TaskGradientsTest, SlicesAddUpBeforeTheyAreProjected) {
  TaskGradients first;
  TaskGradients second;
  first.Start(2, 2);
  second.Start(2, 2);
  Take(first, 0, {3, 0}, {});
  Take(second, 0, {-2, 0}, {7});
  Take(second, 1, {-1, 1}, {});

  first.Add(second);

  EXPECT_THAT(Write(first).blocks[0], ElementsAre(FloatNear(0.5F, 1e-6F), FloatNear(1.5F, 1e-6F)));
}

TEST_F(TaskGradientsTest, WhatNoTaskReachesIsNotPresent) {
  TaskGradients gradients;
  gradients.Start(2, 2);
  Take(gradients, 1, {-1, 1}, {});

  const StepGradients written = Write(gradients);

  EXPECT_THAT(written.blocks[0], ElementsAre(-1, 1));
  EXPECT_THAT(written.block_present, ElementsAre(1, 0));
}

}  // namespace
}  // namespace antiphon
