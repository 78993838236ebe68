#include "models/fork_join.h"

#include <atomic>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace antiphon {
namespace {

using testing::Each;

TEST(ForkJoinTest, EveryIndexRunsOnceInEveryRound) {
  ForkJoin fork_join(3);
  std::vector<int> runs(3);  // each thread has its own element

  for (int round = 0; round < 1000; ++round) {
    fork_join.Run([&runs](int index) { ++runs[static_cast<size_t>(index)]; });
  }

  EXPECT_THAT(runs, Each(1000));
}

TEST(ForkJoinTest, RunReturnsAfterAllHaveReturned) {
  ForkJoin fork_join(4);
  std::atomic<int> done = 0;

  for (int round = 1; round <= 200; ++round) {
    fork_join.Run([&done](int) { ++done; });
    ASSERT_EQ(done, 4 * round);
  }
}

TEST(ForkJoinTest, OneThreadIsTheCaller) {
  ForkJoin fork_join(1);
  int runs = 0;

  fork_join.Run([&runs](int index) { runs += 1 + index; });

  EXPECT_EQ(runs, 1);
  EXPECT_EQ(fork_join.threads(), 1);
}

}  // namespace
}  // namespace antiphon
