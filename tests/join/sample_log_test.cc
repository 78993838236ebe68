#include "join/sample_log.h"

#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"
#include "tests/support/memory_join_store.h"

namespace antiphon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SampleLogTest : public ::testing::Test {
 protected:
  std::unique_ptr<SampleLog> Open() {
    StatusOr<std::unique_ptr<SampleLog>> log = SampleLog::Create(options_, store_, clock_);
    CHECK(log.ok()) << log.status();
    return *std::move(log);
  }

  // What a run does with the samples of a commit.
  Status Commit(SampleLog& log, std::vector<std::string> records) {
    const SampleGroup group = {.number = groups_++, .first = log.end(), .records = records};
    std::vector<StoreChange> changes;
    JoinProgress progress;
    progress.set_next_sample(log.end() + records.size());
    changes.push_back({ProgressKey(), progress.SerializeAsString()});
    AP_RETURN_IF_ERROR(log.Stage(group, changes));
    AP_RETURN_IF_ERROR(store_.Commit(changes));
    return log.Publish(group);
  }

  static std::vector<std::string> Read(SampleLog& log, uint64_t number, uint64_t bytes) {
    std::vector<std::string> records;
    const Status status = log.Read(number, bytes, records);
    return status.ok() ? records : std::vector<std::string>{status.message()};
  }

  SampleLogOptions options_;
  MemoryJoinStore store_;
  FakeClock clock_;
  uint64_t groups_ = 0;
};

TEST_F(SampleLogTest, GivesTheSameSamplesFromAnyNumberInEveryLife) {
  ASSERT_TRUE(Commit(*Open(), {"a", "b"}).ok());
  ASSERT_TRUE(Commit(*Open(), {"c"}).ok());

  const std::unique_ptr<SampleLog> log = Open();

  EXPECT_EQ(log->first(), 0u);
  EXPECT_EQ(log->end(), 3u);
  EXPECT_THAT(Read(*log, 0, 1000), ElementsAre("a", "b", "c"));
  EXPECT_THAT(Read(*log, 1, 1), ElementsAre("b"));
  EXPECT_THAT(Read(*log, 3, 1), ElementsAre(HasSubstr("sample 3 is kept and does not parse")));
}

TEST_F(SampleLogTest, DropsWhatIsOlderThanItIsToBeKept) {
  options_.keep_seconds = 100;
  const std::unique_ptr<SampleLog> log = Open();
  ASSERT_TRUE(Commit(*log, {"a", "b"}).ok());
  clock_.Advance(std::chrono::seconds(60));
  ASSERT_TRUE(Commit(*log, {"c"}).ok());
  clock_.Advance(std::chrono::seconds(60));
  ASSERT_TRUE(Commit(*log, {"d"}).ok());

  EXPECT_EQ(log->first(), 2u);
  EXPECT_EQ(Open()->first(), 2u);
  EXPECT_THAT(Read(*Open(), 2, 1000), ElementsAre("c", "d"));
}

TEST_F(SampleLogTest, DropsTheOldestWhenAllTakeTooMuch) {
  options_.keep_bytes = 3 * (9 + 100);
  const std::unique_ptr<SampleLog> log = Open();
  for (const char letter : {'a', 'b', 'c', 'd', 'e'}) {
    ASSERT_TRUE(Commit(*log, {std::string(100, letter)}).ok());
  }

  // A commit drops what was there before it.
  EXPECT_EQ(log->first(), 2u);
  EXPECT_EQ(Read(*log, 2, 1)[0][0], 'c');
}

TEST_F(SampleLogTest, DropsNothingByACommitThatFails) {
  options_.keep_bytes = 1;
  const std::unique_ptr<SampleLog> log = Open();
  ASSERT_TRUE(Commit(*log, {"a"}).ok());
  store_.FailCommits(true);
  ASSERT_FALSE(Commit(*log, {"b"}).ok());
  store_.FailCommits(false);

  EXPECT_EQ(log->first(), 0u);
  EXPECT_EQ(log->end(), 1u);
  EXPECT_THAT(Read(*log, 0, 1), ElementsAre("a"));
}

TEST_F(SampleLogTest, RefusesAStateThatHasKeptNothing) {
  JoinProgress progress;
  progress.set_next_sample(7);
  ASSERT_TRUE(store_.Commit({{ProgressKey(), progress.SerializeAsString()}}).ok());

  EXPECT_THAT(SampleLog::Create(options_, store_, clock_).status().message(),
              HasSubstr("is one of ps_join"));
}

}  // namespace
}  // namespace antiphon
