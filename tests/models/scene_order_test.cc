#include "models/scene_order.h"

#include <numeric>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace antiphon {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

MATCHER_P3(Is, scene, begin, rows, "") {
  return arg.scene == scene && arg.begin == begin && arg.rows == rows;
}

Batch BatchOf(const std::vector<uint32_t>& scenes) {
  Batch batch;
  batch.rows = static_cast<uint32_t>(scenes.size());
  batch.scene = scenes;
  return batch;
}

constexpr auto kNobody = static_cast<uint32_t>(kUnlistedScene);

TEST(SceneOrderTest, PutsScenesTogetherAndUnlistedOnesLast) {
  SceneOrder order;

  order.Sort(BatchOf({2, 0, kNobody, 2, 0}), RowGrouping::kByScene);

  EXPECT_THAT(order.rows(), ElementsAre(1, 4, 0, 3, 2));
  EXPECT_EQ(order.SceneEnd(0), 2U);
  EXPECT_EQ(order.SceneEnd(2), 4U);
  EXPECT_EQ(order.SceneEnd(4), 5U);
}

TEST(SceneOrderTest, CutsARangeAtItsScenes) {
  SceneOrder order;
  order.Sort(BatchOf({2, 0, kNobody, 2, 0}), RowGrouping::kByScene);
  std::vector<SceneRows> scenes;

  order.CutScenes(1, 3, scenes);

  EXPECT_THAT(scenes, ElementsAre(Is(0U, 0U, 1U), Is(2U, 1U, 2U)));
}

TEST(SceneOrderTest, LeavesRowsWhereNobodyAsksForScenes) {
  SceneOrder order;
  std::vector<SceneRows> scenes;

  order.Sort(BatchOf({1, 0, 1}), RowGrouping::kNone);
  order.CutScenes(0, 3, scenes);

  EXPECT_THAT(order.rows(), ElementsAre(0, 1, 2));
  EXPECT_THAT(scenes, IsEmpty());
}

TEST(SceneOrderTest, TakesABatchWithoutRows) {
  SceneOrder order;

  order.Sort(BatchOf({}), RowGrouping::kByScene);

  EXPECT_THAT(order.rows(), IsEmpty());
}

}  // namespace
}  // namespace antiphon
