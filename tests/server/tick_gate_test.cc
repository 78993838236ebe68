#include "server/tick_gate.h"

#include <limits>
#include <vector>

#include <gtest/gtest.h>

namespace antiphon {
namespace {

constexpr Incarnation kAnn = 11;
constexpr Incarnation kBob = 12;
constexpr Incarnation kStranger = 99;

using Members = std::vector<TickGate::Member>;

TickGate GateWithTwoMembers(std::optional<uint32_t> max_staleness) {
  TickGate gate(max_staleness);
  gate.SetMembers(1, Members{{kAnn, 0}, {kBob, 0}});
  return gate;
}

TEST(TickGateTest, HoldsPullUntilTheSlowestIsNearEnough) {
  struct Case {
    std::optional<uint32_t> staleness;
    Tick ann;
    Tick bob;
    Tick pull;
    bool may;
  };
  const std::vector<Case> cases = {
      {0, 0, 0, 0, true},
      {0, 1, 0, 1, false},
      {0, 1, 1, 1, true},
      {2, 2, 0, 2, true},
      {2, 3, 0, 3, false},
      {2, 3, 1, 3, true},
      {0, 0, 5, 0, true},
      {0, 0, 5, 5, false},
      {std::nullopt, 100, 0, 100, true},
      {3, 0, 0, -50, true},
      {3, 0, 0, std::numeric_limits<Tick>::min(), true},
      {3, 0, 0, std::numeric_limits<Tick>::max(), false},
  };
  for (const Case& c : cases) {
    TickGate gate = GateWithTwoMembers(c.staleness);
    gate.Advance(kAnn, c.ann);
    gate.Advance(kBob, c.bob);

    EXPECT_EQ(gate.MayPull(kAnn, c.pull), c.may)
        << "staleness " << (c.staleness ? static_cast<int>(*c.staleness) : -1) << " ann " << c.ann
        << " bob " << c.bob << " pull " << c.pull;
  }
}

TEST(TickGateTest, NeverHoldsStrangers) {
  TickGate gate = GateWithTwoMembers(0);

  EXPECT_TRUE(gate.MayPull(kStranger, 1000));
}

TEST(TickGateTest, LeaverHoldsNobodyBack) {
  TickGate gate = GateWithTwoMembers(0);
  gate.Advance(kAnn, 5);
  ASSERT_FALSE(gate.MayPull(kAnn, 5));

  gate.Leave(kBob);

  EXPECT_TRUE(gate.MayPull(kAnn, 5));
  EXPECT_TRUE(gate.MayPull(kBob, 7)) << "who has left does not wait either";
}

TEST(TickGateTest, RepeatedMembershipDoesNotBringALeaverBack) {
  TickGate gate = GateWithTwoMembers(0);
  gate.Leave(kBob);

  gate.SetMembers(1, Members{{kAnn, 0}, {kBob, 0}});

  EXPECT_EQ(gate.member_count(), 1u);
}

TEST(TickGateTest, IgnoresOlderMembership) {
  TickGate gate = GateWithTwoMembers(0);
  gate.SetMembers(5, Members{{kAnn, 0}});

  gate.SetMembers(4, Members{{kAnn, 0}, {kBob, 0}});

  EXPECT_EQ(gate.member_count(), 1u);
}

TEST(TickGateTest, TicksNeverGoBack) {
  TickGate gate = GateWithTwoMembers(0);
  gate.Advance(kAnn, 5);
  gate.Advance(kBob, 5);

  EXPECT_FALSE(gate.Advance(kBob, 3));
  EXPECT_FALSE(gate.Advance(kStranger, 3));
  gate.SetMembers(2, Members{{kAnn, 0}, {kBob, 0}});

  EXPECT_TRUE(gate.MayPull(kAnn, 5));
}

TEST(TickGateTest, NewMemberStartsWhereItIsTold) {
  TickGate gate = GateWithTwoMembers(0);
  gate.Advance(kAnn, 5);
  gate.Advance(kBob, 5);

  gate.SetMembers(2, Members{{kAnn, 0}, {kBob, 0}, {13, 5}});

  EXPECT_TRUE(gate.MayPull(kAnn, 5));
  EXPECT_FALSE(gate.MayPull(kAnn, 6));
}

TEST(TickGateTest, AStepOfBspIsWholeWhenAllHavePushedAsOften) {
  TickGate gate = GateWithTwoMembers(0);
  EXPECT_TRUE(gate.IsStepWhole());
  gate.Advance(kAnn, 1);
  EXPECT_FALSE(gate.IsStepWhole());
  gate.Advance(kBob, 1);
  EXPECT_TRUE(gate.IsStepWhole());
  gate.Advance(kAnn, 2);
  gate.Leave(kBob);
  EXPECT_TRUE(gate.IsStepWhole());
}

TEST(TickGateTest, WithoutBspAPushIsAStep) {
  for (const std::optional<uint32_t> max_staleness : {std::optional<uint32_t>(), {2U}}) {
    TickGate gate = GateWithTwoMembers(max_staleness);
    gate.Advance(kAnn, 1);
    EXPECT_TRUE(gate.IsStepWhole());
  }
}

TEST(TickGateTest, ReportsTheLead) {
  TickGate gate = GateWithTwoMembers(4);
  EXPECT_EQ(gate.lead(), 0u);

  gate.Advance(kAnn, 3);

  EXPECT_EQ(gate.lead(), 3u);
}

}  // namespace
}  // namespace antiphon
