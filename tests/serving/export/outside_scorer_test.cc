#include "serving/export/outside_scorer.h"

#include <chrono>
#include <filesystem>
#include <string>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace antiphon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class OutsideScorerTest : public ::testing::Test {
 protected:
  OutsideScorerTest()
      : folder_(::testing::TempDir() + "antiphon_" +
                ::testing::UnitTest::GetInstance()->current_test_info()->name() + "_" +
                std::to_string(::getpid())) {
    std::filesystem::create_directories(folder_);
  }
  ~OutsideScorerTest() override { std::filesystem::remove_all(folder_); }

  // The switches come behind the command; a last ":" takes no notice of them.
  StatusOr<std::vector<std::vector<float>>> Run(const std::string& command,
                                                Duration deadline = std::chrono::minutes(1)) {
    return RunOutsideScorer(fs_,
                            {.command = command,
                             .version = "the version",
                             .samples = "the samples",
                             .prefix = folder_ + "/run",
                             .deadline = deadline},
                            {"click", "gift"});
  }

  void ExpectRefused(const std::string& command, const std::string& what) {
    const Status status = Run(command).status();
    EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
    EXPECT_THAT(status.message(), HasSubstr("scorer \"" + command + "\""));
    EXPECT_THAT(status.message(), HasSubstr(what));
  }

  const std::string folder_;
  PosixFileSystem fs_;
};

TEST_F(OutsideScorerTest, ReadsTheColumnsOfTheTasksInAnyOrder) {
  const auto scores = Run("printf 'gift,id,click\\n0.5,x,0.25\\n1e-3,\"y,z\",1\\n'; :");

  ASSERT_TRUE(scores.ok()) << scores.status();
  EXPECT_THAT(*scores, ElementsAre(ElementsAre(0.25F, 1.0F), ElementsAre(0.5F, 1e-3F)));
}

TEST_F(OutsideScorerTest, GivesTheCommandTheVersionAndTheSamples) {
  ExpectRefused("say() { printf '[%s]' \"$@\" >&2; return 1; }; say",
                "[--model=the version][--samples=the samples]");
}

TEST_F(OutsideScorerTest, SaysHowACommandFailedAndItsLastWords) {
  ExpectRefused("echo no such model >&2; exit 3; :", "it exited with 3; its last words: no such");
  ExpectRefused("exit 1; :", "it said nothing on standard error");
  ExpectRefused("kill -9 $$; :", "signal 9 ended it");
  ExpectRefused("/no/such/program", "it exited with 127");
}

TEST_F(OutsideScorerTest, SaysWhatIsNoScores) {
  ExpectRefused("echo hello; :", "it printed no column \"click\", only hello");
  ExpectRefused("printf 'click,gift\\n0.5,often\\n'; :", "column gift: \"often\" is no number");
  ExpectRefused("printf 'click,gift\\n0.5\\n'; :", "run.scores.csv:2: wrong number of columns");
}

TEST_F(OutsideScorerTest, KillsWhatHangsWithAllOfItsProcesses) {
  const auto started = std::chrono::steady_clock::now();

  const Status status =
      Run("sleep 1000 & echo $! >" + folder_ + "/child; wait; :", std::chrono::seconds(2)).status();

  EXPECT_EQ(status.code(), StatusCode::kDeadlineExceeded);
  EXPECT_THAT(status.message(), HasSubstr("was killed"));
  EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(100));
  const std::string child = ReadWholeFile(fs_, folder_ + "/child", 100).value();
  const std::string state = "/proc/" + child.substr(0, child.find('\n')) + "/stat";
  // It is gone, or dead and not yet collected by its new parent.
  const auto stat = ReadWholeFile(fs_, state, 4096);
  EXPECT_TRUE(!stat.ok() || stat->find(") S ") == std::string::npos) << *stat;
}

TEST_F(OutsideScorerTest, LeavesNothingBehindOnceItsOutputIsRemoved) {
  ASSERT_TRUE(Run("printf 'gift,click\\n'; :").ok());
  EXPECT_FALSE(fs_.List(folder_)->empty());

  RemoveOutputOf(fs_, folder_ + "/run");

  EXPECT_TRUE(fs_.List(folder_)->empty());
}

}  // namespace
}  // namespace antiphon
