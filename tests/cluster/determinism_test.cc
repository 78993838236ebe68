// The same job gives the same bits: run after run, and on any number of servers and lanes.
#include <filesystem>
#include <string>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

#include "tests/cluster/trained_model.h"

namespace antiphon {
namespace {

class DeterminismTest : public ::testing::Test {
 protected:
  DeterminismTest()
      : folder_(::testing::TempDir() + "antiphon_" +
                ::testing::UnitTest::GetInstance()->current_test_info()->name() + "_" +
                std::to_string(::getpid())),
        job_(WriteSmallJob(folder_)) {}
  ~DeterminismTest() override { std::filesystem::remove_all(folder_); }

  TrainedBits Train(const std::string& name, const TrainSetup& setup) {
    return TrainSmallJob(job_, folder_ + "/" + name, setup);
  }

  const std::string folder_;
  const std::string job_;
};

void ExpectSameBits(const TrainedBits& left, const TrainedBits& right) {
  EXPECT_EQ(left.rows.size(), 400);  // 100 users and 300 items
  EXPECT_GT(left.chunks.size(), 10);
  EXPECT_TRUE(left.rows == right.rows);
  EXPECT_TRUE(left.chunks == right.chunks);
}

TEST_F(DeterminismTest, TwoRunsGiveTheSameBits) {
  const TrainedBits first = Train("first", {});
  const TrainedBits second = Train("second", {});

  ExpectSameBits(first, second);
}

TEST_F(DeterminismTest, AnotherSeedGivesOtherBits) {
  const TrainedBits first = Train("first", {});
  const TrainedBits second = Train("second", {.overrides = {"seed=6"}});

  EXPECT_FALSE(first.rows == second.rows);
}

TEST_F(DeterminismTest, ThreeServersGiveTheBitsOfOne) {
  const TrainedBits one = Train("one", {});
  const TrainedBits three = Train("three", {.servers = 3});

  ExpectSameBits(one, three);
}

TEST_F(DeterminismTest, LanesAndComputeSlicesDoNotDependOnTiming) {
  const TrainedBits first = Train("first", {.lanes = 2, .compute_threads = 2});
  const TrainedBits second = Train("second", {.servers = 2, .compute_threads = 2});

  ExpectSameBits(first, second);
}

TEST_F(DeterminismTest, ARestoredModelIsTheOneThatWasSaved) {
  const TrainedBits saved = Train("saved", {.servers = 2});

  const TrainedBits restored = Train("restored", {.servers = 3, .restore_dir = folder_ + "/saved"});

  ExpectSameBits(saved, restored);
}

TEST_F(DeterminismTest, TwoWorkersTrainEverySampleInEveryMode) {
  for (const std::vector<std::string>& mode :
       {std::vector<std::string>{},
        {"train_config.sync_replicas=false"},
        {"train_config.sync_replicas=false", "train_config.max_staleness=2",
         "train_config.pull_ahead_steps=1"}}) {
    const std::string name = "mode" + std::to_string(mode.size());

    const TrainedBits model = Train(name, {.servers = 2, .workers = 2, .overrides = mode});

    EXPECT_EQ(model.rows.size(), 400) << name;
  }
}

}  // namespace
}  // namespace antiphon
