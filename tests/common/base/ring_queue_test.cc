#include "common/base/ring_queue.h"

#include <deque>
#include <memory>

#include <gtest/gtest.h>

#include "common/base/rng.h"

namespace antiphon {
namespace {

TEST(RingQueueTest, FollowsADeque) {
  constexpr uint64_t kSeed = 3;
  SCOPED_TRACE(kSeed);
  Rng rng(kSeed);
  RingQueue<int> queue;
  std::deque<int> expected;

  for (int i = 0; i < 10'000; ++i) {
    if (rng.Chance(i / 1000 % 2 == 0 ? 0.7 : 0.3)) {
      queue.push_back(i);
      expected.push_back(i);
    } else if (!expected.empty()) {
      ASSERT_EQ(queue.pop_front(), expected.front());
      expected.pop_front();
    }
    ASSERT_EQ(queue.size(), expected.size());
    for (size_t k = 0; k < expected.size(); k += 7) {
      ASSERT_EQ(queue[k], expected[k]);
    }
  }
}

TEST(RingQueueTest, LetsGoOfWhatWasTaken) {
  RingQueue<std::shared_ptr<int>> queue;
  const auto item = std::make_shared<int>(1);
  queue.push_back(item);
  EXPECT_EQ(item.use_count(), 2);

  queue.pop_front();

  EXPECT_EQ(item.use_count(), 1);
  EXPECT_TRUE(queue.empty());
}

TEST(RingQueueTest, HoldsWhatCannotBeCopied) {
  RingQueue<std::unique_ptr<int>> queue;
  for (int i = 0; i < 9; ++i) {
    queue.push_back(std::make_unique<int>(i));
  }

  EXPECT_EQ(*queue.front(), 0);
  EXPECT_EQ(*queue[8], 8);
}

}  // namespace
}  // namespace antiphon
