// The balance of tasks through whole clusters: several workers and one history, and a task that is
// absent leaves nothing behind.
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

#include "common/base/file_system.h"
#include "models/parameter_schema.h"
#include "tests/cluster/trained_model.h"
#include "worker/job_engine.h"

namespace antiphon {
namespace {

class TaskBalanceClusterTest : public ::testing::Test {
 protected:
  TaskBalanceClusterTest()
      : folder_(::testing::TempDir() + "antiphon_" +
                ::testing::UnitTest::GetInstance()->current_test_info()->name() + "_" +
                std::to_string(::getpid())),
        job_(WriteSmallJob(folder_)) {}
  ~TaskBalanceClusterTest() override { std::filesystem::remove_all(folder_); }

  TrainedModel Train(const std::string& name, const TrainSetup& setup) {
    return TrainSmallJob(job_, folder_ + "/" + name, setup);
  }

  // Names of the blocks, by BlockId.
  std::vector<std::string> BlockNames(const std::vector<std::string>& overrides) {
    PosixFileSystem fs;
    const JobFile file = LoadCheckedJob(fs, job_, overrides).value();
    const ParameterSchema schema = BuildParameterSchema(file.job).value();
    std::vector<std::string> names;
    for (const BlockSpec& block : schema.blocks()) {
      names.push_back(block.name());
    }
    return names;
  }

  // The same impressions of which nobody knows yet who will buy.
  std::string WriteWithoutBuys() {
    std::ifstream in(folder_ + "/small.csv");
    std::ofstream out(folder_ + "/without_buys.csv");
    std::string line;
    std::getline(in, line);
    out << line << "\n";
    while (std::getline(in, line)) {
      const size_t first = line.find(',');
      out << line.substr(0, first + 1) << line.substr(line.find(',', first + 1)) << "\n";
    }
    return "train_input_path=[\"without_buys.csv\"]";
  }

  const std::string folder_;
  const std::string job_;
};

const char* const kGradNorm = "model_config.loss_weight_strategy=GradNorm";

TEST_F(TaskBalanceClusterTest, EveryStrategyTrainsInEveryMode) {
  for (const std::string strategy : {"GradNorm", "Uncertainty", "DWA", "PCGrad"}) {
    for (const std::string sync : {"true", "false"}) {
      const TrainedModel model =
          Train(strategy + sync, {.servers = 2,
                                  .workers = 2,
                                  .overrides = {"model_config.loss_weight_strategy=" + strategy,
                                                "train_config.sync_replicas=" + sync}});

      EXPECT_EQ(model.rows.size(), 400) << strategy;
    }
  }
}

TEST_F(TaskBalanceClusterTest, SameBitsRunAfterRunAndOnAnyNumberOfServers) {
  const TrainedModel one = Train("one", {.overrides = {kGradNorm}});
  const TrainedModel again = Train("again", {.overrides = {kGradNorm}});
  const TrainedModel three = Train("three", {.servers = 3, .overrides = {kGradNorm}});

  EXPECT_TRUE(one.chunks == again.chunks);
  EXPECT_TRUE(one.chunks == three.chunks);
  EXPECT_TRUE(one.rows == three.rows);
}

TEST_F(TaskBalanceClusterTest, WeightsOfAllWorkersAreInTheSnapshot) {
  const std::vector<std::string> overrides = {kGradNorm,
                                              "model_config.mmoe.task_towers[1].weight=50",
                                              "model_config.grad_norm.update_every=1"};
  const std::vector<std::string> names = BlockNames(overrides);
  ASSERT_EQ(names.back(), "task_weights");

  const TrainedModel model = Train("model", {.servers = 2, .workers = 2, .overrides = overrides});

  const std::string& chunk = model.chunks.at({static_cast<BlockId>(names.size() - 1), 0U});
  std::vector<float> values(6);
  ASSERT_GE(chunk.size(), values.size() * sizeof(float));
  // A chunk's payload ends with values and state: 6 and 8 floats.
  std::memcpy(values.data(), chunk.data() + chunk.size() - 14 * sizeof(float),
              values.size() * sizeof(float));
  EXPECT_NEAR(values[0] + values[1], 2, 1e-4);
  EXPECT_GT(values[0], 1.5) << "the small loss gains";
  EXPECT_GT(values[2], 1);  // so does its mean over time
}

TEST_F(TaskBalanceClusterTest, AbsentTaskStaysAsItIsBitForBit) {
  const std::vector<std::string> overrides = {kGradNorm, "model_config.grad_norm.update_every=1"};
  const std::vector<std::string> names = BlockNames(overrides);
  const TrainedModel before = Train("before", {.overrides = overrides});

  std::vector<std::string> later = overrides;
  later.push_back(WriteWithoutBuys());
  const TrainedModel after =
      Train("after", {.overrides = later, .restore_dir = folder_ + "/before"});

  for (const auto& [id, bytes] : before.chunks) {
    const std::string& name = names[id.first];
    if (name.starts_with("buy.")) {
      EXPECT_TRUE(after.chunks.at(id) == bytes) << name;
    } else if (name.starts_with("click.") || name.starts_with("experts.")) {
      EXPECT_FALSE(after.chunks.at(id) == bytes) << name;
    }
  }
  // Of the balance: column 1 of three rows of values and four of state.
  const std::string& was = before.chunks.at({static_cast<BlockId>(names.size() - 1), 0U});
  const std::string& is = after.chunks.at({static_cast<BlockId>(names.size() - 1), 0U});
  for (const size_t row : {0U, 2U, 3U, 4U, 5U, 6U}) {  // row 1 is a mean over steps
    const size_t at = was.size() - 14 * sizeof(float) + (2 * row + 1) * sizeof(float);
    EXPECT_EQ(was.substr(at, sizeof(float)), is.substr(at, sizeof(float))) << row;
  }
}

}  // namespace
}  // namespace antiphon
