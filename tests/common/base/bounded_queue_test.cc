#include "common/base/bounded_queue.h"

#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "common/base/thread.h"

namespace antiphon {
namespace {

using namespace std::chrono_literals;

TEST(BoundedQueueTest, HandsItemsOverInOrder) {
  BoundedQueue<int> queue(3);
  EXPECT_TRUE(queue.Push(1));
  EXPECT_TRUE(queue.Push(2));

  EXPECT_EQ(queue.Pop(), 1);
  EXPECT_EQ(queue.Pop(), 2);
  EXPECT_EQ(queue.PopFor(0ns), std::nullopt);
  EXPECT_EQ(queue.PopFor(1ms), std::nullopt);
}

TEST(BoundedQueueTest, LeavesTheItemWhenItIsFull) {
  BoundedQueue<std::unique_ptr<int>> queue(1);
  auto first = std::make_unique<int>(1);
  auto second = std::make_unique<int>(2);

  EXPECT_TRUE(queue.TryPush(first));
  EXPECT_FALSE(queue.TryPush(second));

  ASSERT_NE(second, nullptr);
  EXPECT_EQ(*second, 2);
  EXPECT_EQ(queue.size(), 1u);
}

TEST(BoundedQueueTest, DrainsAfterItWasClosed) {
  BoundedQueue<int> queue(2);
  EXPECT_TRUE(queue.Push(1));

  queue.Close();

  EXPECT_FALSE(queue.Push(2));
  EXPECT_EQ(queue.Pop(), 1);
  EXPECT_EQ(queue.Pop(), std::nullopt);
}

TEST(BoundedQueueTest, WakesThoseWhoWaitWhenItIsClosed) {
  BoundedQueue<int> empty(1);
  BoundedQueue<int> full(1);
  ASSERT_TRUE(full.Push(1));
  const Thread popper("popper", [&] { EXPECT_EQ(empty.Pop(), std::nullopt); });
  const Thread pusher("pusher", [&] { EXPECT_FALSE(full.Push(2)); });

  empty.Close();
  full.Close();
}

TEST(BoundedQueueTest, LosesAndDoublesNothingBetweenThreads) {
  constexpr int kItems = 20'000;
  BoundedQueue<int> queue(7);
  std::vector<int> seen(kItems);
  {
    const Thread low("low", [&] {
      for (int i = 0; i < kItems / 2; ++i) {
        EXPECT_TRUE(queue.Push(i));
      }
    });
    const Thread high("high", [&] {
      for (int i = kItems / 2; i < kItems; ++i) {
        EXPECT_TRUE(queue.Push(i));
      }
    });
    for (int i = 0; i < kItems; ++i) {
      ++seen[static_cast<size_t>(*queue.Pop())];
    }
  }

  EXPECT_EQ(seen, std::vector<int>(kItems, 1));
}

}  // namespace
}  // namespace antiphon
