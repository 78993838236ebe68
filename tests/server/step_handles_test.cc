#include "server/step_handles.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace antiphon {
namespace {

using ::testing::ElementsAre;

using Handles = StepHandles<uint32_t>;

void Remember(Handles& handles, Incarnation sender, uint64_t step, uint32_t row) {
  StepRows<uint32_t>& found = handles.Open(sender, step);
  found.slices.push_back({.table = 0, .count = 1});
  found.rows.push_back(row);
}

TEST(StepHandlesTest, FindsWhatAPullLeft) {
  Handles handles;
  Remember(handles, 1, 10, 100);
  Remember(handles, 2, 10, 200);

  ASSERT_NE(handles.Find(1, 10), nullptr);
  EXPECT_THAT(handles.Find(1, 10)->rows, ElementsAre(100));
  EXPECT_THAT(handles.Find(2, 10)->rows, ElementsAre(200));
  EXPECT_EQ(handles.Find(1, 11), nullptr);
  EXPECT_EQ(handles.Find(3, 10), nullptr);
}

TEST(StepHandlesTest, RepeatedPullReplacesItsHandle) {
  Handles handles;
  Remember(handles, 1, 10, 100);
  Remember(handles, 1, 10, 101);

  EXPECT_THAT(handles.Find(1, 10)->rows, ElementsAre(101));
}

TEST(StepHandlesTest, ForgetsTheOldestStep) {
  Handles handles;
  for (uint64_t step = 0; step <= Handles::kStepsOfASender; ++step) {
    Remember(handles, 1, step, static_cast<uint32_t>(step));
  }

  EXPECT_EQ(handles.Find(1, 0), nullptr);
  for (uint64_t step = 1; step <= Handles::kStepsOfASender; ++step) {
    EXPECT_NE(handles.Find(1, step), nullptr) << step;
  }
}

TEST(StepHandlesTest, ForgetsTheSenderThatWasSilentLongest) {
  Handles handles(/*max_senders=*/2);
  Remember(handles, 1, 10, 100);
  Remember(handles, 2, 10, 200);
  ASSERT_NE(handles.Find(1, 10), nullptr);

  Remember(handles, 3, 10, 300);

  EXPECT_EQ(handles.sender_count(), 2u);
  EXPECT_NE(handles.Find(1, 10), nullptr);
  EXPECT_EQ(handles.Find(2, 10), nullptr);
  EXPECT_NE(handles.Find(3, 10), nullptr);
}

TEST(StepHandlesTest, ReusesMemory) {
  Handles handles;
  for (uint64_t step = 0; step < Handles::kStepsOfASender; ++step) {
    handles.Open(1, step).rows.reserve(1000);
  }

  const StepRows<uint32_t>& reused = handles.Open(1, 1000);

  EXPECT_TRUE(reused.rows.empty());
  EXPECT_GE(reused.rows.capacity(), 1000u);
}

TEST(StepHandlesTest, ForgetsOneStepOnDemand) {
  Handles handles;
  Remember(handles, 1, 10, 100);
  Remember(handles, 1, 11, 110);

  handles.Forget(1, 10);

  EXPECT_EQ(handles.Find(1, 10), nullptr);
  EXPECT_NE(handles.Find(1, 11), nullptr);
}

TEST(StepHandlesTest, ClearForgetsEveryStep) {
  Handles handles;
  Remember(handles, 1, 10, 100);

  handles.Clear();

  EXPECT_EQ(handles.Find(1, 10), nullptr);
}

}  // namespace
}  // namespace antiphon
