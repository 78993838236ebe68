#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <unistd.h>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "serving/library/serving.h"
#include "tests/versions/version_maker.h"

namespace antiphon::serving {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class FollowerTest : public ::testing::Test {
 protected:
  FollowerTest()
      : maker_(::testing::TempDir() + "antiphon_follower_" +
               ::testing::UnitTest::GetInstance()->current_test_info()->name() + "_" +
               std::to_string(::getpid())),
        first_(maker_.Full({.number = 1, .stamp = 0.1F, .rows = {1, 2}})) {
    maker_.SetCurrent(1);
  }
  ~FollowerTest() override { std::filesystem::remove_all(maker_.directory()); }

  std::unique_ptr<Follower> Open(int refresh_ms) {
    auto follower = Follower::Open(maker_.directory(), refresh_ms, &error_);
    EXPECT_NE(follower, nullptr) << error_;
    return follower;
  }
  float ScoreOne(Scorer& scorer) {
    const std::string_view text = "u1";
    EXPECT_TRUE(scorer.Add({&text, 1}, &error_)) << error_;
    return scorer.Score()[0][0];
  }

  VersionMaker maker_;
  const VersionLink first_;
  std::string error_;
};

TEST_F(FollowerTest, AReaderAndItsScorerGoOnWithTheNewestWhenTheyAsk) {
  const auto follower = Open(0);
  Reader reader(*follower);
  const std::shared_ptr<const Version> before = reader.current();
  EXPECT_THAT(before->fields(), ElementsAre("user"));
  EXPECT_THAT(before->tasks(), ElementsAre("click"));
  const auto scorer = Scorer::Create(*before, &error_);
  ASSERT_NE(scorer, nullptr) << error_;
  const float score_before = ScoreOne(*scorer);

  maker_.Step(first_, {.number = 2, .stamp = 0.7F, .rows = {2, 3}, .removed = {1}});
  maker_.SetCurrent(2);
  EXPECT_EQ(reader.current()->number(), 1U);
  EXPECT_TRUE(follower->Refresh(&error_)) << error_;

  EXPECT_EQ(reader.current()->number(), 2U);
  EXPECT_EQ(ScoreOne(*scorer), score_before);  // it has not been told
  EXPECT_TRUE(scorer->Use(*reader.current(), &error_)) << error_;
  EXPECT_GT(ScoreOne(*scorer), score_before);
  // Whoever holds the version before still has it.
  const std::vector<uint64_t> keys = {1, 3};
  std::vector<float> weights(keys.size() * before->dim(0));
  EXPECT_EQ(before->Lookup(0, keys, weights.data()), 1U);
  EXPECT_EQ(weights[0], 0.1F);
  EXPECT_EQ(reader.current()->Lookup(0, keys, weights.data()), 1U);
  EXPECT_EQ(weights[before->dim(0)], 0.7F);
}

TEST_F(FollowerTest, WhatCannotBeServedIsCountedAndChangesNothing) {
  const auto follower = Open(0);
  maker_.Step(first_, {.number = 2, .stamp = 0.7F, .rows = {2}});
  maker_.Damage(2, "state.bin");
  maker_.SetCurrent(2);
  EXPECT_FALSE(follower->Refresh(&error_));
  EXPECT_THAT(error_, HasSubstr("state.bin"));
  EXPECT_EQ(follower->failures(), 1U);
  EXPECT_EQ(follower->last_error(), error_);
  EXPECT_EQ(follower->current()->number(), 1U);
}

TEST_F(FollowerTest, AThreadOfItsOwnLooksForWhatIsNew) {
  const auto follower = Open(1);
  Reader reader(*follower);
  maker_.Step(first_, {.number = 2, .stamp = 0.7F, .rows = {2}});
  maker_.SetCurrent(2);
  while (reader.current()->number() != 2) {  // the test's own time limit ends it
    std::this_thread::yield();
  }
  EXPECT_EQ(follower->failures(), 0U);
}

TEST_F(FollowerTest, ADirectoryWithoutAVersionIsAnError) {
  EXPECT_EQ(Follower::Open(maker_.directory() + "/nothing", 0, &error_), nullptr);
  EXPECT_THAT(error_, HasSubstr("nothing"));
}

}  // namespace
}  // namespace antiphon::serving
