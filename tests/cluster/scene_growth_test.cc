// Scenes on a whole cluster: one that is not in the data stays as it is, one that is added to a
// trained model starts as what the others share and moves none of them.
#include <filesystem>
#include <string>
#include <tuple>
#include <unistd.h>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/data/batch.h"
#include "tests/cluster/scene_scorer.h"
#include "tests/cluster/trained_model.h"

namespace antiphon {
namespace {

class SceneGrowthTest : public ::testing::Test {
 protected:
  SceneGrowthTest()
      : folder_(::testing::TempDir() + "antiphon_" +
                ::testing::UnitTest::GetInstance()->current_test_info()->name() + "_" +
                std::to_string(::getpid())),
        job_(WriteSceneJob(folder_)) {}
  ~SceneGrowthTest() override { std::filesystem::remove_all(folder_); }

  TrainedBits Train(const std::string& name, const TrainSetup& setup) {
    return TrainSmallJob(job_, folder_ + "/" + name, setup);
  }

  const std::string folder_;
  const std::string job_;
};

bool IsOf(const std::string& scene, const BlockSpec& block) {
  return block.name().starts_with("scene." + scene + ".");
}

// Names of the blocks that a run on rows of home alone left as they were, bit for bit.
std::vector<std::string> Unmoved(const TrainedBits& before, const TrainedBits& after) {
  std::vector<std::string> names;
  for (const BlockSpec& block : before.plan.schema().blocks()) {
    if (BlockBits(before, block.name()) == BlockBits(after, block.name())) {
      names.push_back(block.name());
    }
  }
  return names;
}

std::vector<std::string> BlocksOf(const std::string& scene, const TrainedBits& model) {
  std::vector<std::string> names;
  for (const BlockSpec& block : model.plan.schema().blocks()) {
    if (IsOf(scene, block)) {
      names.push_back(block.name());
    }
  }
  return names;
}

TEST_F(SceneGrowthTest, RowsOfOneSceneLeaveWeightsAndOptimizerStateOfAnotherAlone) {
  const std::vector<std::string> balance = {"model_config.loss_weight_strategy=Uncertainty"};
  const std::vector<std::string> towers = {"model_config.ums.scene_tower=PER_SCENE"};
  for (const auto& [name, model, more] : {std::tuple("ums", SceneModel::kUms, balance),
                                          {"towers", SceneModel::kUms, towers},
                                          {"star", SceneModel::kStar, {}}}) {
    SCOPED_TRACE(name);
    const std::string job = WriteSceneJob(folder_, model);
    const std::string folder = folder_ + "/" + name;
    const TrainedBits both =
        TrainSmallJob(job, folder + "/both", {.servers = 2, .overrides = more});
    std::vector<std::string> home = more;
    home.emplace_back("train_input_path[0]=home.csv");

    const TrainedBits after = TrainSmallJob(
        job, folder + "/home", {.servers = 2, .overrides = home, .restore_dir = folder + "/both"});

    EXPECT_GE(BlocksOf("live", both).size(), 9U);
    EXPECT_EQ(Unmoved(both, after), BlocksOf("live", both));
  }
}

// PEPNet knows a scene by its row alone.
TEST_F(SceneGrowthTest, RowsOfOneSceneLeaveTheRowOfAnotherAlone) {
  const std::string job = WriteSceneJob(folder_, SceneModel::kPepNet);
  const TrainedBits both = TrainSmallJob(job, folder_ + "/both", {.servers = 2});

  const TrainedBits after = TrainSmallJob(job, folder_ + "/home",
                                          {.servers = 2,
                                           .overrides = {"train_input_path[0]=home.csv"},
                                           .restore_dir = folder_ + "/both"});

  const auto domain = static_cast<TableId>(both.plan.schema().tables_size() - 1);
  std::vector<bool> moved;
  for (const auto& [row, bits] : both.rows) {
    if (row.first == domain) {
      moved.push_back(after.rows.at(row) != bits);
    }
  }
  EXPECT_THAT(moved, testing::UnorderedElementsAre(true, false));
}

// They are pulled for rows of home too; an optimizer with momentum must not move them for that.
TEST_F(SceneGrowthTest, RowsOfOneSceneLeavePrivateFeaturesOfAnotherAlone) {
  std::vector<std::string> overrides = {
      R"(feature_config.features[]={feature_name: "host" input_names: "item" embedding_dim: 4
                                    optimizer_config { lazy_adam_optimizer {} }})",
      R"(model_config.feature_groups[]={group_name: "of_live" feature_names: "host"})",
      R"(model_config.scene_tasks[]={scene: "live" private_group: "of_live"})"};
  const TrainedBits both = Train("both", {.servers = 2, .overrides = overrides});
  overrides.emplace_back("train_input_path[0]=home.csv");

  const TrainedBits after =
      Train("home", {.servers = 2, .overrides = overrides, .restore_dir = folder_ + "/both"});

  const auto hosts = static_cast<TableId>(both.plan.schema().tables_size() - 1);
  int rows = 0;
  for (const auto& [row, bits] : both.rows) {
    if (row.first == hosts) {
      EXPECT_EQ(after.rows.at(row), bits) << row.second;
      ++rows;
    }
  }
  EXPECT_EQ(rows, 300);
}

// The new scene stands between the old ones, and a task is new too.
const std::vector<std::string> kGrown = {
    R"(data_config.scenes=["home", "news", "live"])",
    R"(model_config.ums.task_towers[]={tower_name: "again" label_name: "click" })"};

TEST_F(SceneGrowthTest, NewSceneStartsAsThePublicModelAndOldOnesDoNotMove) {
  const TrainedBits before = Train("before", {.servers = 2});

  const TrainedBits after =
      Train("after", {.servers = 3, .overrides = kGrown, .restore_dir = folder_ + "/before"});

  EXPECT_TRUE(before.rows == after.rows);
  for (int i = 0; i < before.plan.schema().blocks_size(); ++i) {
    const std::string& name = before.plan.schema().blocks(i).name();
    EXPECT_EQ(after.plan.schema().blocks(i).name(), name);
    EXPECT_EQ(BlockBits(before, name), BlockBits(after, name)) << name;
  }
  EXPECT_GT(after.plan.schema().blocks_size(), before.plan.schema().blocks_size() + 10);
  SceneScorer old_model(before, job_, {});
  SceneScorer new_model(after, job_, kGrown);
  for (const auto& [old_scene, new_scene] :
       {std::pair(0U, 0U), std::pair(1U, 2U), std::pair(kUnlistedScene, kUnlistedScene)}) {
    const std::vector<std::vector<float>> was = old_model.Score(old_scene);
    const std::vector<std::vector<float>> is = new_model.Score(new_scene);
    EXPECT_EQ(was[0], is[0]);
    EXPECT_EQ(was[1], is[1]);
  }
  EXPECT_EQ(new_model.Score(1), new_model.Score(kUnlistedScene));
  EXPECT_NE(new_model.Score(1), new_model.Score(0));
}

TEST_F(SceneGrowthTest, GrownModelTrainsOn) {
  Train("before", {});
  std::vector<std::string> overrides = kGrown;
  overrides.emplace_back("train_input_path[0]=home.csv");

  const TrainedBits after =
      Train("after", {.overrides = overrides, .restore_dir = folder_ + "/before"});

  EXPECT_GT(after.chunks.size(), 10U);
}

}  // namespace
}  // namespace antiphon
