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
#include "models/checked_job.h"
#include "models/parameter_schema.h"
#include "tests/cluster/trained_model.h"

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

  TrainedBits Train(const std::string& name, const TrainSetup& setup) {
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
const char* const kEveryBatch = "model_config.grad_norm.update_every=1";

// The block of the weights as a snapshot has it: rows of a float a task.
std::vector<std::vector<float>> BalanceRows(const TrainedBits& model, size_t tasks) {
  const std::string bits = BlockBits(model, "task_weights").substr(sizeof(uint64_t));
  std::vector<std::vector<float>> rows(bits.size() / sizeof(float) / tasks,
                                       std::vector<float>(tasks));
  for (size_t row = 0; row < rows.size(); ++row) {
    std::memcpy(rows[row].data(), bits.data() + row * tasks * sizeof(float), tasks * sizeof(float));
  }
  return rows;
}

TEST_F(TaskBalanceClusterTest, EveryStrategyTrainsInEveryMode) {
  for (const std::string strategy : {"GradNorm", "Uncertainty", "DWA", "PCGrad"}) {
    for (const std::string sync : {"true", "false"}) {
      const TrainedBits model =
          Train(strategy + sync, {.servers = 2,
                                  .workers = 2,
                                  .overrides = {"model_config.loss_weight_strategy=" + strategy,
                                                "train_config.sync_replicas=" + sync}});

      EXPECT_EQ(model.rows.size(), 400) << strategy;
    }
  }
}

TEST_F(TaskBalanceClusterTest, EveryStrategyTrainsStarAndPepNet) {
  for (const SceneModel kind : {SceneModel::kStar, SceneModel::kPepNet}) {
    const std::string job = WriteSceneJob(folder_, kind);
    for (const std::string strategy : {"GradNorm", "Uncertainty", "DWA", "PCGrad"}) {
      std::vector<std::string> overrides = {"model_config.loss_weight_strategy=" + strategy,
                                            "data_config.num_epochs=1"};
      if (strategy == "GradNorm") {
        overrides.emplace_back("model_config.grad_norm.source=ACTIVATION");
      }
      const std::string name = strategy + std::to_string(static_cast<int>(kind));

      const TrainedBits model = TrainSmallJob(job, folder_ + "/" + name,
                                              {.servers = 2, .workers = 2, .overrides = overrides});

      EXPECT_GE(model.rows.size(), 400) << name;
    }
  }
}

TEST_F(TaskBalanceClusterTest, SameBitsRunAfterRunAndOnAnyNumberOfServers) {
  const TrainedBits one = Train("one", {.overrides = {kGradNorm}});
  const TrainedBits again = Train("again", {.overrides = {kGradNorm}});
  const TrainedBits three = Train("three", {.servers = 3, .overrides = {kGradNorm}});

  EXPECT_TRUE(one.chunks == again.chunks);
  EXPECT_TRUE(one.chunks == three.chunks);
  EXPECT_TRUE(one.rows == three.rows);
}

// A step of BSP is one of the balance, a push of ASP too; in both the weights stay what they are.
TEST_F(TaskBalanceClusterTest, WorkersShareOneBalance) {
  for (const std::string sync : {"true", "false"}) {
    const TrainedBits model =
        Train("sync_" + sync,
              {.servers = 2,
               .workers = 2,
               .overrides = {kGradNorm, kEveryBatch, "model_config.mmoe.task_towers[1].weight=50",
                             "train_config.sync_replicas=" + sync}});

    const std::vector<std::vector<float>> rows = BalanceRows(model, 2);
    EXPECT_NEAR(rows[0][0] + rows[0][1], 2, 1e-4) << sync;
    EXPECT_GT(rows[0][0], 1.5) << "the small loss gains";
    EXPECT_GT(rows[0][1], 0);
    EXPECT_GT(rows[1][0], 1) << "so does its mean over time";
  }
}

TEST_F(TaskBalanceClusterTest, AbsentTaskStaysAsItIsBitForBit) {
  const std::vector<std::string> overrides = {kGradNorm, kEveryBatch};
  const std::vector<std::string> names = BlockNames(overrides);
  const TrainedBits before = Train("before", {.overrides = overrides});

  std::vector<std::string> later = overrides;
  later.push_back(WriteWithoutBuys());
  const TrainedBits after =
      Train("after", {.overrides = later, .restore_dir = folder_ + "/before"});

  for (const auto& [id, bytes] : before.chunks) {
    const std::string& name = names[id.first];
    if (name.starts_with("buy.")) {
      EXPECT_TRUE(after.chunks.at(id) == bytes) << name;
    } else if (name.starts_with("click.") || name.starts_with("experts.")) {
      EXPECT_FALSE(after.chunks.at(id) == bytes) << name;
    }
  }
  const std::vector<std::vector<float>> was = BalanceRows(before, 2);
  const std::vector<std::vector<float>> is = BalanceRows(after, 2);
  ASSERT_EQ(was.size(), 8U);
  for (size_t row = 0; row < was.size(); ++row) {
    EXPECT_EQ(was[row][1], is[row][1]) << row;
  }
  EXPECT_NE(was[2][0], is[2][0]) << "the average loss of the click";
}

// Its column is new; those of the others, and all that is theirs, keep their bits.
TEST_F(TaskBalanceClusterTest, ARestoredJobMayGainATask) {
  for (const std::string strategy : {"GradNorm", "DWA", "Uncertainty"}) {
    SCOPED_TRACE(strategy);
    const std::vector<std::string> overrides = {"model_config.loss_weight_strategy=" + strategy};
    const TrainedBits before = Train(strategy, {.servers = 2, .overrides = overrides});
    std::vector<std::string> grown = overrides;
    grown.emplace_back(
        R"(model_config.mmoe.task_towers[]={tower_name: "again" label_name: "click"})");

    const TrainedBits after =
        Train(strategy + "_grown",
              {.servers = 3, .overrides = grown, .restore_dir = folder_ + "/" + strategy});

    for (const BlockSpec& block : before.plan.schema().blocks()) {
      if (block.name() != "task_weights") {
        EXPECT_EQ(BlockBits(before, block.name()), BlockBits(after, block.name())) << block.name();
      }
    }
    if (strategy == "Uncertainty") {
      EXPECT_FALSE(BlockBits(after, "again.log_variance").empty());
      continue;
    }
    const std::vector<std::vector<float>> was = BalanceRows(before, 2);
    const std::vector<std::vector<float>> is = BalanceRows(after, 3);
    ASSERT_EQ(was.size(), is.size());
    for (size_t row = 0; row < was.size(); ++row) {
      EXPECT_EQ(was[row], std::vector<float>(is[row].begin(), is[row].begin() + 2)) << row;
    }
    EXPECT_EQ(is[0][2], 1) << "the weight of the new task";
    EXPECT_EQ(is.back()[2], 0) << "it has not been in any step";
  }
}

TEST_F(TaskBalanceClusterTest, AGrownJobBalancesAllItsTasks) {
  const std::vector<std::string> overrides = {kGradNorm, kEveryBatch};
  Train("before", {.overrides = overrides});
  std::vector<std::string> grown = overrides;
  grown.emplace_back(
      R"(model_config.mmoe.task_towers[]={tower_name: "again" label_name: "click" weight: 50 })");
  grown.push_back(WriteWithoutBuys());

  const TrainedBits after =
      Train("after", {.overrides = grown, .restore_dir = folder_ + "/before"});

  const std::vector<float> weight = BalanceRows(after, 3)[0];
  EXPECT_NEAR(weight[0] + weight[1] + weight[2], 3, 1e-4);
  EXPECT_LT(weight[2], 0.7) << "the large loss is held back";
}

// What a run found may be kept fixed from then on, and let go again.
TEST_F(TaskBalanceClusterTest, ARestoredJobMayFreezeItsWeights) {
  const TrainedBits before = Train("before", {.overrides = {kGradNorm, kEveryBatch}});

  const TrainedBits after =
      Train("after", {.overrides = {kGradNorm, "model_config.grad_norm.frozen_weights=[1.25, 0.75]",
                                    WriteWithoutBuys()},
                      .restore_dir = folder_ + "/before"});

  EXPECT_EQ(BlockBits(before, "task_weights"), BlockBits(after, "task_weights"));
  EXPECT_NE(BlockBits(before, "experts.0.weight"), BlockBits(after, "experts.0.weight"));
}

}  // namespace
}  // namespace antiphon
