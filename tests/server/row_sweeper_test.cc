#include "server/row_sweeper.h"

#include <algorithm>
#include <chrono>
#include <numeric>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/server/lane_fixture.h"
#include "tests/support/fake_clock.h"

namespace antiphon {
namespace {

using ::testing::Each;
using ::testing::Eq;
using ::testing::Ne;

class RowSweeperTest : public ::testing::Test {
 protected:
  void Build(const RowPolicy& policy, uint64_t memory_limit = 0) {
    ConfigureRequest config = TestConfig(1, 0);
    *config.mutable_schema()->mutable_tables(1)->mutable_row_policy() = policy;
    state_.store = LaneStore::Create(config).value();
    sweeper_ = std::make_unique<RowSweeper>(state_, clock_, memory_limit);
  }

  RowTable& table() { return state_.store->table(1); }

  std::vector<std::byte*> Find(const std::vector<Key>& keys, LookupMode mode) {
    std::vector<std::byte*> rows(keys.size());
    table().Lookup(keys, mode, rows);
    return rows;
  }

  void Train(const std::vector<Key>& keys, uint32_t shows = 1, uint32_t clicks = 0) {
    const std::vector<std::byte*> rows = Find(keys, LookupMode::kCreate);
    table().ApplyGradients(rows, std::vector<float>(keys.size() * 3, -1),
                           std::vector<uint32_t>(keys.size(), shows << 16 | clicks),
                           clock_.WallSeconds());
  }

  void RunFor(int seconds) {
    for (int i = 0; i < seconds; ++i) {
      clock_.Advance(std::chrono::seconds(1));
      sweeper_->Advance();
    }
  }

  FakeClock clock_;
  LaneState state_;
  std::unique_ptr<RowSweeper> sweeper_;
};

TEST_F(RowSweeperTest, ForgetsWhatNoPushHadForTooLong) {
  RowPolicy policy;
  policy.mutable_eviction()->set_ttl_seconds(200);
  Build(policy);
  std::vector<Key> keys(1000);
  std::iota(keys.begin(), keys.end(), 0U);
  Train(keys);

  RunFor(150);
  Train({1, 2, 3});
  EXPECT_EQ(table().row_count(), 1000U);
  RunFor(150);

  EXPECT_EQ(table().row_count(), 3U);
  EXPECT_THAT(Find({1, 2, 3}, LookupMode::kFindOnly), Each(Ne(nullptr)));
  EXPECT_EQ(table().erased(EraseReason::kAge), 997U);
}

TEST_F(RowSweeperTest, TheTimeOfARowThatWasNeverPushedBeginsAtTheFirstLook) {
  RowPolicy policy;
  policy.mutable_eviction()->set_ttl_seconds(200);
  Build(policy);
  Find({5}, LookupMode::kCreate);

  RunFor(150);
  EXPECT_EQ(table().row_count(), 1U);
  RunFor(200);

  EXPECT_EQ(table().row_count(), 0U);
}

TEST_F(RowSweeperTest, LeavesWhatAnOpenPullHasFoundUntilThePullIsForgotten) {
  RowPolicy policy;
  policy.mutable_eviction()->set_ttl_seconds(10);
  Build(policy);
  Train({1, 2});
  RunFor(70);  // both would go at the next look
  Train({1, 2});
  RunFor(9);
  state_.handles.Open(77, 1).rows = Find({1}, LookupMode::kFindOnly);

  // Within the half minute in which it was opened and the next.
  clock_.Advance(std::chrono::seconds(12));
  for (int i = 0; i < 200; ++i) {
    clock_.Advance(std::chrono::milliseconds(100));
    sweeper_->Advance();
  }
  EXPECT_THAT(Find({1}, LookupMode::kFindOnly), Each(Ne(nullptr)));

  RunFor(200);
  EXPECT_EQ(state_.handles.Find(77, 1), nullptr) << "its push is asked for keys";
  EXPECT_THAT(Find({1, 2}, LookupMode::kFindOnly), Each(Eq(nullptr)));
}

TEST_F(RowSweeperTest, ForgetsLowScoresOnceTheyHaveDecayed) {
  RowPolicy policy;
  policy.mutable_eviction()->set_min_score(0.9F);
  policy.mutable_eviction()->set_click_weight(20);
  policy.mutable_eviction()->set_half_life_seconds(100);
  Build(policy);
  Train({1}, 1, 0);   // 1, below 0.9 after 16 s
  Train({2}, 1, 1);   // 21
  Train({3}, 50, 0);  // 50

  RunFor(120);
  EXPECT_THAT(Find({1}, LookupMode::kFindOnly), Each(Eq(nullptr)));
  EXPECT_THAT(Find({2, 3}, LookupMode::kFindOnly), Each(Ne(nullptr)));
  EXPECT_EQ(table().erased(EraseReason::kScore), 1U);
  RunFor(1000);
  EXPECT_EQ(table().row_count(), 0U);
}

TEST_F(RowSweeperTest, CountsDecayAtEachPush) {
  RowPolicy policy;
  policy.mutable_eviction()->set_half_life_seconds(100);
  Build(policy);
  Train({1}, 4000, 400);
  clock_.Advance(std::chrono::seconds(100));
  Train({1}, 0, 0);

  const RowHeader header = HeaderOf(Find({1}, LookupMode::kFindOnly)[0]);

  EXPECT_NEAR(static_cast<double>(CountValue(header.shows)), 2000, 1);
  EXPECT_NEAR(static_cast<double>(CountValue(header.clicks)), 200, 1);
}

// Known ids are trained all the time, new ones come for ever.
TEST_F(RowSweeperTest, HoldsAMemoryLimitAndKeepsTheKnownRows) {
  constexpr uint64_t kLimit = 400 << 10;
  Build(RowPolicy(), kLimit);
  std::vector<Key> known(2000);
  std::iota(known.begin(), known.end(), 0U);
  Key next_new = 1'000'000;
  uint64_t most = 0;
  for (int step = 0; step < 4000; ++step) {
    Train(known, 2);
    std::vector<Key> fresh(100);
    std::iota(fresh.begin(), fresh.end(), next_new);
    next_new += fresh.size();
    Train(fresh, 1);
    clock_.Advance(std::chrono::milliseconds(20));
    for (int i = 0; i < 8 && sweeper_->Advance(); ++i) {
    }
    most = std::max(most, state_.store->bytes());
  }

  EXPECT_THAT(Find(known, LookupMode::kFindOnly), Each(Ne(nullptr)));
  EXPECT_LT(most, kLimit + (kLimit / 10));
  EXPECT_GT(table().erased(EraseReason::kMemory), 10'000U);
  EXPECT_GT(table().row_count(), 6000U) << "the room is used";
}

}  // namespace
}  // namespace antiphon
