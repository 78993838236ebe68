#include "common/base/signals.h"

#include <chrono>
#include <signal.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "common/base/bounded_queue.h"

namespace antiphon {
namespace {

TEST(SignalWatcherTest, CallsBackOnceForTheFirstSignal) {
  BoundedQueue<int> seen(4);
  StatusOr<std::unique_ptr<SignalWatcher>> watcher =
      SignalWatcher::Start([&seen](int signal) { seen.TryPush(signal); });
  ASSERT_TRUE(watcher.ok()) << watcher.status();

  kill(getpid(), SIGTERM);

  EXPECT_EQ(seen.PopFor(std::chrono::seconds(60)), SIGTERM);
}

TEST(SignalWatcherTest, StopsWithoutASignal) {
  StatusOr<std::unique_ptr<SignalWatcher>> watcher = SignalWatcher::Start([](int) {});

  ASSERT_TRUE(watcher.ok()) << watcher.status();
}

TEST(SignalWatcherDeathTest, SecondSignalEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        StatusOr<std::unique_ptr<SignalWatcher>> watcher =
            SignalWatcher::Start([](int) { kill(getpid(), SIGINT); });
        kill(getpid(), SIGTERM);
        while (true) {
          pause();
        }
      },
      ::testing::ExitedWithCode(130), "");
}

}  // namespace
}  // namespace antiphon
