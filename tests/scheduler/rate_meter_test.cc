#include "scheduler/rate_meter.h"

#include <gtest/gtest.h>

#include "scheduler/sequence_window.h"

namespace antiphon {
namespace {

using std::chrono::milliseconds;

TEST(RateMeterTest, MeasuresTheLastSecondsOnly) {
  RateMeter meter(std::chrono::seconds(10));
  EXPECT_EQ(meter.PerSecond(), 0);
  Time now = Time() + std::chrono::hours(1);
  uint64_t count = 0;
  for (int i = 0; i < 3000; ++i) {  // 100 a second for 15 s, then 1000 a second for 15 s
    count += i < 1500 ? 1 : 10;
    now += milliseconds(10);
    meter.Observe(count, now);
  }

  EXPECT_NEAR(meter.PerSecond(), 1000, 30);
}

TEST(SequenceWindowTest, KnowsWhatItHasSeenAcrossGaps) {
  SequenceWindow window;
  window.Mark(1);
  window.Mark(3);

  EXPECT_TRUE(window.Seen(1));
  EXPECT_FALSE(window.Seen(2));
  EXPECT_TRUE(window.Seen(3));
  window.Mark(2);
  EXPECT_TRUE(window.Seen(2));
  EXPECT_FALSE(window.Seen(4));
}

TEST(SequenceWindowTest, StaysSmallWhenAGapNeverCloses) {
  SequenceWindow window;
  for (uint64_t i = 2; i < 1000; ++i) {
    window.Mark(i);
  }

  EXPECT_TRUE(window.Seen(1));
  EXPECT_TRUE(window.Seen(999));
  EXPECT_FALSE(window.Seen(1000));
}

}  // namespace
}  // namespace antiphon
