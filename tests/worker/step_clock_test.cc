#include "worker/step_clock.h"

#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"

namespace antiphon {
namespace {

using namespace std::chrono_literals;
using Activity = StepClock::Activity;

TEST(StepClockTest, GivesTimeToWhatWasBegunLast) {
  FakeClock clock;
  StepClock step_clock(clock);

  step_clock.Begin(Activity::kCompute);
  clock.Advance(300ms);
  step_clock.Begin(Activity::kLaneWait);
  clock.Advance(100ms);
  step_clock.Begin(Activity::kCompute);
  clock.Advance(200ms);
  step_clock.CountStep();
  StepSeconds seconds;
  step_clock.TakeSeconds(seconds);

  EXPECT_DOUBLE_EQ(seconds.compute(), 0.5);
  EXPECT_DOUBLE_EQ(seconds.lane_wait(), 0.1);
  EXPECT_DOUBLE_EQ(seconds.read_wait(), 0);
  EXPECT_EQ(seconds.steps(), 1);
}

TEST(StepClockTest, ForgetsWhatWasTaken) {
  FakeClock clock;
  StepClock step_clock(clock);
  step_clock.Begin(Activity::kCopy);
  clock.Advance(1s);
  StepSeconds first;
  step_clock.TakeSeconds(first);

  clock.Advance(2s);
  StepSeconds second;
  step_clock.TakeSeconds(second);

  EXPECT_DOUBLE_EQ(first.copy(), 1);
  EXPECT_DOUBLE_EQ(second.copy(), 2);
}

}  // namespace
}  // namespace antiphon
