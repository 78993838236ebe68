#include "simulation/air_schedule.h"

#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace antiphon {
namespace {

constexpr uint64_t kSeed = 5;
constexpr int kDays = 10;
constexpr int kHosts = 200;

class AirScheduleTest : public testing::Test {
 protected:
  const Culture culture_{kSeed};
  const Calendar calendar_{kDays};
  const std::vector<Host> hosts_ = MakeHosts({.seed = kSeed, .hosts = kHosts}, culture_);
  const AirSchedule schedule_{hosts_, calendar_, kSeed};
};

TEST_F(AirScheduleTest, SomebodyIsAlwaysOnAirAndNeverEverybody) {
  for (int slot = 0; slot < calendar_.slot_count(); ++slot) {
    EXPECT_FALSE(schedule_.OnAir(slot).empty()) << "slot " << slot;
    EXPECT_LT(schedule_.OnAir(slot).size(), hosts_.size()) << "slot " << slot;
  }
}

TEST_F(AirScheduleTest, ShowsBeginAndEnd) {
  int begins = 0;
  int ends = 0;
  for (int slot = 1; slot < calendar_.slot_count(); ++slot) {
    const bool before = schedule_.IsOnAir(17, slot - 1);
    const bool now = schedule_.IsOnAir(17, slot);
    begins += !before && now ? 1 : 0;
    ends += before && !now ? 1 : 0;
  }

  EXPECT_GE(begins, 2);
  EXPECT_GE(ends, 2);
}

TEST_F(AirScheduleTest, SomeHostsComeAndSomeLeaveForGood) {
  std::set<uint32_t> first_half;
  std::set<uint32_t> second_half;
  for (int slot = 0; slot < calendar_.slot_count(); ++slot) {
    const auto on_air = schedule_.OnAir(slot);
    (slot < calendar_.slot_count() / 2 ? first_half : second_half)
        .insert(on_air.begin(), on_air.end());
  }

  int come = 0;
  int leave = 0;
  for (uint32_t host = 0; host < kHosts; ++host) {
    come += !first_half.contains(host) && second_half.contains(host) ? 1 : 0;
    leave += first_half.contains(host) && !second_half.contains(host) ? 1 : 0;
  }
  EXPECT_GT(come, 0);
  EXPECT_GT(leave, 0);
}

TEST_F(AirScheduleTest, DrawsEveryHostOnAirAndNobodyElse) {
  Rng rng(1);
  const int slot = 40;
  std::set<uint32_t> drawn;
  for (int i = 0; i < 20000; ++i) {
    drawn.insert(schedule_.Draw(slot, rng));
  }

  const auto on_air = schedule_.OnAir(slot);
  EXPECT_EQ(drawn, std::set<uint32_t>(on_air.begin(), on_air.end()));
}

TEST_F(AirScheduleTest, WithALifetimeEveryHostIsThereOnceAndAroundTheClock) {
  constexpr int kLifetimeSlots = 2 * kSlotsADay;
  const AirSchedule clips(hosts_, calendar_, kSeed, /*lifetime_days=*/2);

  int whole_lives = 0;
  for (uint32_t host = 0; host < kHosts; ++host) {
    std::vector<int> slots;
    for (int slot = 0; slot < calendar_.slot_count(); ++slot) {
      if (clips.IsOnAir(host, slot)) {
        slots.push_back(slot);
      }
    }
    if (slots.empty()) {
      continue;  // its life ended in the first minutes
    }
    const int length = slots.back() - slots.front() + 1;
    EXPECT_EQ(static_cast<int>(slots.size()), length) << "host " << host;
    EXPECT_LE(length, kLifetimeSlots) << "host " << host;
    if (slots.front() > 0 && slots.back() < calendar_.slot_count() - 1) {
      EXPECT_EQ(length, kLifetimeSlots) << "host " << host;
      ++whole_lives;
    }
  }
  EXPECT_GT(whole_lives, kHosts / 2);
}

TEST_F(AirScheduleTest, WithALifetimeAboutAsManyAreThereAtAnyTime) {
  const AirSchedule clips(hosts_, calendar_, kSeed, /*lifetime_days=*/2);

  // Lives begin in the period or up to two days before it: a sixth of them cover a moment.
  for (const int slot : {0, calendar_.slot_count() / 2, calendar_.slot_count() - 1}) {
    EXPECT_NEAR(static_cast<double>(clips.OnAir(slot).size()), kHosts / 6.0, kHosts / 10.0)
        << "slot " << slot;
  }
}

}  // namespace
}  // namespace antiphon
