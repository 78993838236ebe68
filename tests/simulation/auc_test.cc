#include "simulation/auc.h"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "common/base/rng.h"
#include "simulation/platform.h"
#include "simulation/score_board.h"

namespace antiphon {
namespace {

// By its definition, over all pairs.
double AucOfAllPairs(const std::vector<ChanceAndLabel>& rows) {
  double right = 0;
  double pairs = 0;
  for (const ChanceAndLabel& positive : rows) {
    for (const ChanceAndLabel& negative : rows) {
      if (!positive.label || negative.label) {
        continue;
      }
      pairs += 1;
      right += positive.chance > negative.chance ? 1 : 0;
      right += positive.chance == negative.chance ? 0.5 : 0;
    }
  }
  return right / pairs;
}

std::vector<ChanceAndLabel> RandomRows(int count, int levels, Rng& rng) {
  std::vector<ChanceAndLabel> rows;
  for (int i = 0; i < count; ++i) {
    const double chance = static_cast<double>(1 + rng.Below(static_cast<uint64_t>(levels))) /
                          static_cast<double>(levels + 1);
    rows.push_back({.chance = chance, .label = rng.Chance(chance)});
  }
  return rows;
}

TEST(AucTest, CountsPairsWithTiesAsHalf) {
  Rng rng(1);
  for (const int levels : {1, 2, 5, 1000}) {
    const std::vector<ChanceAndLabel> rows = RandomRows(300, levels, rng);

    const double slow = AucOfAllPairs(rows);

    EXPECT_NEAR(*AucOfLabels(rows), slow, 1e-12) << levels << " levels";
  }
}

TEST(AucTest, IsUndefinedWithoutBothClasses) {
  const std::vector<ChanceAndLabel> none;
  const std::vector<ChanceAndLabel> negatives = {{.chance = 0.1}, {.chance = 0.4}};

  EXPECT_FALSE(AucOfLabels(none).has_value());
  EXPECT_FALSE(AucOfLabels(negatives).has_value());
  EXPECT_TRUE(ExpectedAuc(negatives).has_value());
}

TEST(AucTest, ExpectationIsTheMeanOverManyDrawsOfTheLabels) {
  Rng rng(2);
  std::vector<ChanceAndLabel> rows = RandomRows(200, 50, rng);
  const double expected = *ExpectedAuc(rows);

  double sum = 0;
  constexpr int kDraws = 400;
  for (int i = 0; i < kDraws; ++i) {
    for (ChanceAndLabel& row : rows) {
      row.label = rng.Chance(row.chance);
    }
    sum += *AucOfLabels(rows);
  }

  // One draw deviates by about 0.03.
  EXPECT_NEAR(sum / kDraws, expected, 4 * 0.03 / std::sqrt(kDraws));
}

TEST(AucTest, BothWaysAgreeOnThePlatform) {
  const auto platform = Platform::Create({.seed = 3, .days = 2, .users = 500, .hosts = 100});
  ASSERT_TRUE(platform.ok()) << platform.status();
  ScoreBoard board;
  std::vector<Impression> request;
  for (int64_t i = 0; i < 10000; ++i) {
    (*platform)->DrawRequest({.requests = 10000}, i, request);
    for (const Impression& impression : request) {
      board.Add(impression);
    }
  }

  for (const Task task : {Task::kClick, Task::kLongWatch}) {
    const TruthScore score = board.ScoreOf(task);
    const double spread = 0.5 / std::sqrt(static_cast<double>(score.positives));
    EXPECT_NEAR(*score.auc, *score.expected_auc, 4 * spread) << TaskName(task);
    EXPECT_GT(*score.auc, 0.7);
    EXPECT_LT(*score.auc, 0.95);
  }
}

}  // namespace
}  // namespace antiphon
