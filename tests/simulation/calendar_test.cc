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
