#include "scheduler/lifecycle.h"

#include <gtest/gtest.h>

namespace antiphon {
namespace {

using std::chrono::seconds;

const Time kStart = Time() + std::chrono::hours(1);

TEST(LifecycleTest, KeepsTheFirstEnd) {
  Lifecycle life({});
  life.Run();
  life.Fail(UnavailableError("server 1 dead"), kStart);

  life.Finish(kStart);
  life.Stop(kStart);

  EXPECT_EQ(life.state(), JOB_FAILED);
  EXPECT_EQ(life.result().message(), "server 1 dead");
}

TEST(LifecycleTest, StaysAfterAFailureSoThatAllLearnOfIt) {
  Lifecycle life({.failure_linger = seconds(2)});
  life.Fail(UnavailableError("x"), kStart);

  EXPECT_FALSE(life.Over(kStart + seconds(1), true));
  EXPECT_TRUE(life.Over(kStart + seconds(2), false));
}

TEST(LifecycleTest, EndsOnceAllKnowOfTheFinishOrHadTheirTime) {
  Lifecycle life({.finish_wait = seconds(3), .goodbye = seconds(1)});
  life.Run();
  life.Finish(kStart);

  EXPECT_FALSE(life.Over(kStart, false));
  EXPECT_FALSE(life.Over(kStart + seconds(1), true));  // the last answer is still on its way
  EXPECT_TRUE(life.Over(kStart + seconds(2), true));
  EXPECT_TRUE(life.result().ok());
}

TEST(LifecycleTest, EndsWithoutANodeThatNeverAsks) {
  Lifecycle life({.finish_wait = seconds(3)});
  life.Run();
  life.Finish(kStart);

  EXPECT_FALSE(life.Over(kStart + seconds(2), false));
  EXPECT_TRUE(life.Over(kStart + seconds(3), false));
}

TEST(LifecycleTest, KeepsServersWhenItLingers) {
  Lifecycle life({.linger = true});
  life.Run();
  life.Finish(kStart);

  EXPECT_EQ(life.StateFor(ROLE_SERVER), JOB_RUNNING);
  EXPECT_EQ(life.StateFor(ROLE_WORKER), JOB_FINISHED);
  EXPECT_FALSE(life.Over(kStart + seconds(1000), true));

  life.Stop(kStart + seconds(1000));

  EXPECT_EQ(life.StateFor(ROLE_SERVER), JOB_FINISHED);
  EXPECT_FALSE(life.Over(kStart + seconds(1000), true));
  EXPECT_TRUE(life.Over(kStart + seconds(1001), true));
}

TEST(LifecycleTest, DoesNotLingerAfterAFailure) {
  Lifecycle life({.linger = true});
  life.Fail(UnavailableError("x"), kStart);

  EXPECT_EQ(life.StateFor(ROLE_SERVER), JOB_FAILED);
  EXPECT_TRUE(life.Over(kStart + seconds(5), false));
}

}  // namespace
}  // namespace antiphon
