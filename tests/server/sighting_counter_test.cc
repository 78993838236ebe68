#include "server/sighting_counter.h"

#include <vector>

#include <gtest/gtest.h>

#include "common/base/hash.h"
#include "server/row_admission.h"

namespace antiphon {
namespace {

TEST(SightingCounterTest, NeverCountsTooLowBeforeTheHandHasPassed) {
  SightingCounter counter(5'000'000);  // so many that the hand hardly moves
  for (uint32_t round = 1; round <= 5; ++round) {
    for (uint64_t id = 0; id < 200; ++id) {
      EXPECT_GE(counter.Add(Mix64(id)), round);
    }
  }
}

TEST(SightingCounterTest, StopsAtTheLargestCount) {
  SightingCounter counter(100'000);
  uint32_t count = 0;
  for (int i = 0; i < 40; ++i) {
    count = counter.Add(Mix64(7));
  }
  EXPECT_EQ(count, SightingCounter::kMaxCount);
}

TEST(SightingCounterTest, FewIdsAreTakenForSeenBefore) {
  constexpr uint64_t kTurn = 100'000;
  SightingCounter counter(kTurn);
  uint64_t early = 0;
  for (uint64_t id = 0; id < 5 * kTurn; ++id) {
    early += counter.Add(Mix64(id)) > 1 ? 1 : 0;
  }
  EXPECT_LT(static_cast<double>(early) / (5 * kTurn), 0.15);
}

TEST(SightingCounterTest, OldSightingsFade) {
  constexpr uint64_t kTurn = 10'000;
  SightingCounter counter(kTurn);
  for (int i = 0; i < 8; ++i) {
    counter.Add(Mix64(1));
  }
  // Four turns, in which nothing else is counted twice.
  for (uint64_t i = 0; i < 4 * kTurn; ++i) {
    counter.Add(Mix64(1'000'000 + i % 10));
  }
  EXPECT_LE(counter.Add(Mix64(1)), 2U);
}

TEST(SightingCounterTest, MergedCountsAreAtLeastThoseOfBoth) {
  SightingCounter left(1000);
  SightingCounter right(1000);
  for (int i = 0; i < 3; ++i) {
    left.Add(Mix64(1));
    right.Add(Mix64(2));
  }

  left.Merge(0, right.bytes());

  EXPECT_GE(left.Add(Mix64(1)), 4U);
  EXPECT_GE(left.Add(Mix64(2)), 4U);
}

TEST(RowAdmissionTest, AdmitsFromTheNthSightingOn) {
  Admission policy;
  policy.set_min_count(3);
  RowAdmission admission(policy, 5);

  EXPECT_FALSE(admission.Admit(Mix64(9), 0));
  EXPECT_FALSE(admission.Admit(Mix64(9), 0));
  EXPECT_TRUE(admission.Admit(Mix64(9), 0));
  EXPECT_EQ(admission.counts().refused_by_count, 2U);
  EXPECT_EQ(admission.counts().admitted, 1U);
}

TEST(RowAdmissionTest, ChanceIsTheSameInAReplayAndHasItsShare) {
  Admission policy;
  policy.set_probability(0.25);
  RowAdmission first(policy, 5);
  RowAdmission replay(policy, 5);
  RowAdmission other_seed(policy, 6);
  int differs = 0;
  for (uint64_t id = 0; id < 10'000; ++id) {
    const bool admitted = first.Admit(Mix64(id), id / 100);
    EXPECT_EQ(replay.Admit(Mix64(id), id / 100), admitted);
    differs += other_seed.Admit(Mix64(id), id / 100) != admitted ? 1 : 0;
  }
  EXPECT_NEAR(static_cast<double>(first.counts().admitted), 2500, 200);
  EXPECT_GT(differs, 1000);
}

TEST(RowAdmissionTest, WithoutRoomNobodyIsAdmitted) {
  RowAdmission admission(Admission(), 5);
  admission.set_room(0);
  EXPECT_FALSE(admission.Admit(Mix64(1), 0));
  EXPECT_EQ(admission.counts().refused_by_memory, 1U);
  admission.set_room(1);
  EXPECT_TRUE(admission.Admit(Mix64(1), 0));
}

}  // namespace
}  // namespace antiphon
