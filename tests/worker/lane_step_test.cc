#include "worker/lane_step.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/net/memory_transport.h"
#include "tests/support/fake_clock.h"
#include "tests/worker/scripted_lane.h"

namespace antiphon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using State = LaneStep::State;

class LaneStepTest : public ::testing::Test {
 protected:
  LaneStepTest()
      : lane_(transport_, clock_, "lane", 4),
        endpoint_(*transport_.Open({.name = "worker", .listen_address = ""})),
        rpc_(*endpoint_, clock_, {.incarnation = 5}, nullptr) {
    step_.Bind(rpc_, *endpoint_->Connect("mem://lane"), "lane 0");
  }

  void Pull() {
    PullRequest request;
    request.set_step(1);
    TableSlice* slice = request.add_tables();
    slice->set_table(0);
    slice->set_count(2);
    step_.Pull(request, Buffer::Allocate(2 * sizeof(Key)));
    Settle();
  }

  void Push() {
    PushRequest request;
    request.set_step(1);
    step_.Push(request, Buffer::Allocate(32), Buffer::Allocate(8), Buffer());
    Settle();
  }

  void Settle() {
    for (int i = 0; i < 6; ++i) {
      lane_.Poll();
      rpc_.Poll(Duration::zero());
    }
  }

  FakeClock clock_;
  MemoryTransport transport_{clock_};
  ScriptedLane lane_;
  std::unique_ptr<Endpoint> endpoint_;
  RpcNode rpc_;
  LaneStep step_;
};

TEST_F(LaneStepTest, PullsAndThenPushesValuesOnly) {
  Pull();
  ASSERT_EQ(step_.state(), State::kPulled) << step_.failure();
  EXPECT_EQ(step_.pull_message().bulk()[0].size(), 2 * 4 * sizeof(float));

  Push();

  EXPECT_EQ(step_.state(), State::kPushed);
  EXPECT_THAT(lane_.push_frames_, ElementsAre(3));
}

TEST_F(LaneStepTest, PushesAgainWithKeysWhenTheLaneForgotThePull) {
  Pull();
  lane_.refusals_.push_back(
      {METHOD_PUSH, Status(StatusCode::kUnknownHandle, "step 1 is not remembered")});

  Push();

  EXPECT_EQ(step_.state(), State::kPushed) << step_.failure();
  ASSERT_THAT(lane_.push_frames_, ElementsAre(4));
  EXPECT_TRUE(lane_.pushes_[0].has_keys());
}

TEST_F(LaneStepTest, HoldsAPushThatIsTooEarlyUntilItIsTold) {
  Pull();
  lane_.refusals_.push_back({METHOD_PUSH, Status(StatusCode::kPositionGap, "applied through 0")});

  Push();
  EXPECT_EQ(step_.state(), State::kHeld);
  step_.PushAgain();
  Settle();

  EXPECT_EQ(step_.state(), State::kPushed);
}

TEST_F(LaneStepTest, FailsWithTheLanesNameWhenAPushIsRefused) {
  Pull();
  lane_.refusals_.push_back({METHOD_PUSH, InvalidArgumentError("gradient is not finite")});

  Push();

  EXPECT_EQ(step_.state(), State::kFailed);
  EXPECT_EQ(step_.failure().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(step_.failure().message(), HasSubstr("push to lane 0: gradient is not finite"));
}

TEST_F(LaneStepTest, TellsALostLeaseByItsCode) {
  Pull();
  lane_.refusals_.push_back({METHOD_PUSH, StaleEpochError("lease 3 is over")});

  Push();

  EXPECT_EQ(step_.failure().code(), StatusCode::kStaleEpoch);
}

TEST_F(LaneStepTest, EndsAPullThatNobodyAnswers) {
  transport_.Cut("", "lane");
  Pull();
  EXPECT_EQ(step_.state(), State::kPulling);

  clock_.Advance(LaneStep::kDeadline + std::chrono::seconds(1));
  Settle();

  EXPECT_EQ(step_.state(), State::kFailed);
  EXPECT_EQ(step_.failure().code(), StatusCode::kDeadlineExceeded);
}

TEST_F(LaneStepTest, HearsNothingOfAnAbandonedPull) {
  PullRequest request;
  step_.Pull(request, Buffer());
  step_.Abandon();

  Settle();

  EXPECT_EQ(step_.state(), State::kIdle);
  EXPECT_EQ(rpc_.calls_in_flight(), 0);
}

}  // namespace
}  // namespace antiphon
