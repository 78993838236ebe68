#include "simulation/calendar.h"

#include <array>

#include <gtest/gtest.h>

namespace antiphon {
namespace {

TEST(CalendarTest, LaterProgressIsLater) {
  const Calendar calendar(3);
  Moment last = calendar.At(0);
  for (int i = 1; i < 5000; ++i) {
    const Moment moment = calendar.At(i / 5000.0);
    EXPECT_GT(moment.time_ms, last.time_ms);
    EXPECT_GE(moment.slot, last.slot);
    last = moment;
  }
}

TEST(CalendarTest, CoversThePeriodAndNothingElse) {
  const Calendar calendar(3);

  EXPECT_EQ(calendar.At(0).slot, 0);
  EXPECT_EQ(calendar.At(0).hour, 0);
  const Moment end = calendar.At(0.9999999);
  EXPECT_EQ(end.slot, calendar.slot_count() - 1);
  EXPECT_EQ(end.hour, 23);
  EXPECT_LT(end.time_ms - calendar.At(0).time_ms, int64_t{3} * 24 * 3600 * 1000);
}

TEST(CalendarTest, HourSlotAndTimeAgree) {
  const Calendar calendar(2);
  const int64_t begin_ms = calendar.At(0).time_ms;
  for (int i = 0; i < 1000; ++i) {
    const Moment moment = calendar.At(i / 1000.0);
    EXPECT_EQ(moment.slot, (moment.time_ms - begin_ms) / (30 * 60 * 1000));
    EXPECT_EQ(moment.hour, moment.slot % kSlotsADay / 2);
  }
}

TEST(CalendarTest, BeginsWhereItIsToldTo) {
  const Calendar usual(2);
  const Calendar other(2, 1'800'000'000'123);

  EXPECT_EQ(other.At(0).time_ms, 1'800'000'000'123);
  EXPECT_EQ(other.At(0.7).time_ms - other.At(0).time_ms, usual.At(0.7).time_ms - kUsualBeginMs);
  EXPECT_EQ(other.At(0.7).hour, usual.At(0.7).hour);
}

TEST(CalendarTest, KnowsTheProgressAfterEachStretchOfTime) {
  const Calendar calendar(3);

  for (int i = 0; i < 1000; ++i) {
    const double progress = i / 1000.0;
    const auto passed_ms = static_cast<double>(calendar.At(progress).time_ms - kUsualBeginMs);
    EXPECT_NEAR(calendar.ProgressAfter(passed_ms / 1000), progress, 1e-7);
  }
  EXPECT_EQ(calendar.ProgressAfter(3 * 24 * 3600.0), 1);
  EXPECT_EQ(calendar.ProgressAfter(1e18), 1);
}

TEST(CalendarTest, EveningsAreBusierThanNights) {
  const Calendar calendar(1);
  std::array<int, kHoursADay> traffic{};
  for (int i = 0; i < 10000; ++i) {
    ++traffic.at(static_cast<size_t>(calendar.At(i / 10000.0).hour));
  }

  EXPECT_GT(traffic[20], 5 * traffic[3]);
  EXPECT_GT(traffic[3], 0);
}

}  // namespace
}  // namespace antiphon
