#include "common/base/thread.h"

#include <pthread.h>
#include <sched.h>
#include <string>

#include <gtest/gtest.h>

namespace antiphon {
namespace {

TEST(ThreadTest, CarriesAsMuchOfItsNameAsTheKernelKeeps) {
  std::string name(16, '\0');

  Thread("snapshots of lanes", [&name] {
    pthread_getname_np(pthread_self(), name.data(), name.size());
  }).Join();

  EXPECT_STREQ(name.c_str(), "snapshots of la");
}

TEST(ThreadTest, LetsOthersGoFirstAloneOfItsProcess) {
  int policy = -1;

  Thread("batch", [&policy] {
    LetOthersGoFirst();
    policy = sched_getscheduler(0);
  }).Join();

  EXPECT_EQ(policy, SCHED_BATCH);
  EXPECT_EQ(sched_getscheduler(0), SCHED_OTHER);
}

}  // namespace
}  // namespace antiphon
