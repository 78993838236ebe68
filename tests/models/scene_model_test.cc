// Models with parts of single scenes, through the runner: who learns from which rows.
#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/models/runner_fixture.h"

namespace antiphon {
namespace {

using testing::HasSubstr;

constexpr uint32_t kHome = 0;
constexpr uint32_t kSong = 1;

std::string UmsText(const std::string& options) {
  return R"(model_class: "UMS" loss_reduction: SUM ums {
              public_dnn { hidden_units: 6 }
              expert_dnn { hidden_units: 5 } num_expert: 2 scene_embedding_dim: 3
              private_dnn { hidden_units: 4 }
              task_towers { tower_name: "click" label_name: "click" dnn { hidden_units: 4 } }
              task_towers { tower_name: "like" label_name: "like" } )" +
         options + "}";
}

class SceneModelTest : public RunnerTest {
 protected:
  void Build(const std::string& model, int threads = 1) {
    RunnerTest::Build(SampleJob(model), threads);
  }

  // A step whose scenes have moved away from where they start.
  SampleStep Trained(uint32_t rows, uint64_t seed) {
    SampleStep step(schema_, rows, seed);
    Rng rng(seed + 1);
    for (std::vector<float>& block : step.blocks()) {
      for (float& x : block)
        x += static_cast<float>(0.1 * rng.Normal());
    }
    return step;
  }

  StepOutput Score(SampleStep& step) {
    StepOutput output;
    runner_->Score(step.Input(), output);
    return output;
  }

  // That the step reached every block but those of the scene "song".
  void ExpectAllButSong(const StepResult& result) const {
    for (size_t i = 0; i < result.gradients.blocks.size(); ++i)
      EXPECT_EQ(result.gradients.block_present[i], IsOf(i, "song") ? 0 : 1) << BlockName(i);
  }

  // That the gradients of each scene's labels alone add up to those of all.
  void ExpectScenesToAddUp();

  bool IsOf(size_t block, const std::string& scene) const {
    return BlockName(block).starts_with("scene." + scene + ".");
  }
};

// Forgets the labels of all rows but those of `scene`.
void KeepLabelsOf(uint32_t scene, Batch& batch) {
  for (std::vector<float>& labels : batch.labels) {
    for (size_t r = 0; r < labels.size(); ++r) {
      if (batch.scene[r] != scene)
        labels[r] = kUnknownLabel;
    }
  }
}

void SetScenes(uint32_t scene, Batch& batch) {
  std::fill(batch.scene.begin(), batch.scene.end(), scene);
}

void ExpectNear(const std::vector<float>& actual, const std::vector<float>& expected,
                const std::string& what) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    EXPECT_NEAR(actual[i], expected[i], 2e-5 * (1 + std::abs(expected[i]))) << what << " " << i;
  }
}

void SceneModelTest::ExpectScenesToAddUp() {
  SampleStep step = Trained(60, 3);
  SampleStep home = step;
  SampleStep song = step;
  KeepLabelsOf(kHome, home.batch());
  KeepLabelsOf(kSong, song.batch());

  const StepResult mixed = Train(step);
  const StepResult of_home = Train(home);
  const StepResult of_song = Train(song);

  EXPECT_NEAR(mixed.output.loss, of_home.output.loss + of_song.output.loss, 1e-4);
  const auto expect_sum = [](const auto& whole, std::vector<float> sum, const auto& other,
                             const std::string& what) {
    for (size_t j = 0; j < sum.size(); ++j)
      sum[j] += other[j];
    ExpectNear(whole, sum, what);
  };
  for (int i = 0; i < schema_.blocks_size(); ++i) {
    // Moments are counted of all rows, with labels or without.
    if (!schema_.blocks(i).optimizer().has_decayed_sums())
      expect_sum(mixed.gradients.blocks[i], of_home.gradients.blocks[i],
                 of_song.gradients.blocks[i], BlockName(i));
  }
  for (int i = 0; i < schema_.tables_size(); ++i) {
    expect_sum(mixed.gradients.tables[i], of_home.gradients.tables[i], of_song.gradients.tables[i],
               schema_.tables(i).name());
  }
}

class UmsTest : public SceneModelTest, public testing::WithParamInterface<std::string> {};

TEST_P(UmsTest, GradientsOfScenesAddUpToThoseOfTheMixedBatch) {
  Build(UmsText(GetParam()));
  ExpectScenesToAddUp();
}

TEST_P(UmsTest, SceneThatNoLossReachesIsAbsent) {
  Build(UmsText(GetParam()));
  SampleStep step = Trained(60, 4);
  KeepLabelsOf(kHome, step.batch());

  const StepResult result = Train(step);

  ExpectAllButSong(result);
}

TEST_P(UmsTest, LogitsStandInTheOrderOfTheBatch) {
  Build(UmsText(GetParam()));
  SampleStep step = Trained(9, 5);
  for (size_t r = 0; r < 9; ++r)
    step.batch().scene[r] = r % 3 == 2 ? kUnlistedScene : static_cast<uint32_t>(r % 3);
  const StepOutput mixed = Score(step);

  for (const uint32_t scene : {kHome, kSong, kUnlistedScene}) {
    SampleStep alone = step;
    SetScenes(scene, alone.batch());
    const StepOutput output = Score(alone);
    for (size_t r = 0; r < 9; ++r) {
      const bool same = step.batch().scene[r] == scene;
      for (size_t k = 0; k < 2; ++k) {
        const double difference = std::abs(mixed.logits[k][r] - output.logits[k][r]);
        EXPECT_TRUE(same ? difference < 1e-5 : difference > 1e-5) << r << " " << difference;
      }
    }
  }
}

TEST_P(UmsTest, FreshSceneIsThePublicModelBitForBit) {
  Build(UmsText(GetParam()));
  SampleStep step = Trained(40, 6);
  const SampleStep fresh(schema_, 40, 6);
  for (int i = 0; i < schema_.blocks_size(); ++i) {
    if (IsOf(static_cast<size_t>(i), "song"))
      step.blocks()[i] = SampleStep(fresh).blocks()[i];
  }
  SampleStep unlisted = step;
  SetScenes(kSong, step.batch());
  SetScenes(kUnlistedScene, unlisted.batch());

  const StepOutput as_song = Score(step);
  const StepOutput as_nobody = Score(unlisted);

  for (size_t k = 0; k < 2; ++k) {
    EXPECT_EQ(std::memcmp(as_song.logits[k].data(), as_nobody.logits[k].data(), 40 * sizeof(float)),
              0);
  }
}

TEST_P(UmsTest, SlicesAgreeWithOneThread) {
  Build(UmsText(GetParam()), 3);
  SampleStep step = Trained(50, 8);
  const StepResult three = Train(step);
  Build(UmsText(GetParam()), 1);
  const StepResult one = Train(step);

  for (int i = 0; i < schema_.blocks_size(); ++i) {
    ExpectNear(three.gradients.blocks[i], one.gradients.blocks[i], schema_.blocks(i).name());
  }
}

INSTANTIATE_TEST_SUITE_P(Options, UmsTest,
                         testing::Values("", "scene_tower: PER_SCENE",
                                         "stop_public_gradient: false gate_bias: false"),
                         [](const testing::TestParamInfo<std::string>& test) {
                           return "Options" + std::to_string(test.index);
                         });

TEST_F(SceneModelTest, RowOfAnUnlistedSceneTrainsNothing) {
  Build(UmsText(""));
  SampleStep step = Trained(20, 9);
  SetScenes(kUnlistedScene, step.batch());

  const StepResult result = Train(step);

  EXPECT_EQ(result.output.loss, 0);
  for (const uint8_t present : result.gradients.block_present)
    EXPECT_EQ(present, 0);
}

TEST_F(SceneModelTest, SceneWithoutATaskHasNoPartsForIt) {
  const std::string text = UmsText("") + R"(scene_tasks { scene: "song" tower_names: "click" })";
  Build(text);

  for (const BlockSpec& block : schema_.blocks()) {
    EXPECT_FALSE(block.name().starts_with("scene.song.like")) << block.name();
  }
  SampleStep step = Trained(20, 10);
  EXPECT_GT(Train(step).output.loss, 0);
}

TEST_F(SceneModelTest, CrossSceneScoresDoNotTeachTheOtherScene) {
  Build(UmsText("cross_scene_scores: STOP_GRADIENT"));
  SampleStep step = Trained(40, 11);
  SetScenes(kHome, step.batch());

  const StepResult result = Train(step);

  ExpectAllButSong(result);
  EXPECT_NE(result.gradients.blocks[Block("scene.home.click.from.song")][0], 0);
}

std::string StarText(const std::string& options) {
  return R"(model_class: "STAR" loss_reduction: SUM star {
              aux_dnn { hidden_units: 3 } scene_embedding_dim: 2
              task_towers { tower_name: "click" label_name: "click" dnn { hidden_units: 4 } }
              task_towers { tower_name: "like" label_name: "like" } )" +
         options + "}";
}

// A scene is never cut: its moments are those of all its rows, on however many threads.
TEST_F(SceneModelTest, StarOnThreeThreadsAgreesWithOne) {
  Build(StarText(""), 3);
  SampleStep step = Trained(50, 12);
  const StepResult three = Train(step);
  Build(StarText(""), 1);
  const StepResult one = Train(step);

  for (int i = 0; i < schema_.blocks_size(); ++i) {
    ExpectNear(three.gradients.blocks[i], one.gradients.blocks[i], schema_.blocks(i).name());
  }
}

TEST_F(SceneModelTest, StarLeavesAnAbsentSceneAlone) {
  Build(StarText(""));
  SampleStep step = Trained(30, 13);
  SetScenes(kHome, step.batch());

  const StepResult result = Train(step);

  ExpectAllButSong(result);
}

TEST_F(SceneModelTest, StarSceneThatNoLossReachesIsAbsent) {
  Build(StarText("partitioned_norm: false"));
  SampleStep step = Trained(60, 4);
  KeepLabelsOf(kHome, step.batch());

  const StepResult result = Train(step);

  ExpectAllButSong(result);
}

TEST_F(SceneModelTest, GradientsOfScenesOfStarAndPepNetAddUp) {
  Build(StarText(""));
  ExpectScenesToAddUp();
  Job job = PepNetSampleJob(R"(task_towers { tower_name: "click" label_name: "click" }
                               task_towers { tower_name: "like" label_name: "like" } })");
  job.mutable_model_config()->set_loss_reduction(ModelConfig::SUM);
  RunnerTest::Build(job);
  ExpectScenesToAddUp();
}

TEST_F(SceneModelTest, StarScoresWithWhatItCounted) {
  Build(StarText(""));
  SampleStep step(schema_, 30, 14);
  const StepOutput before = Score(step);
  const StepResult trained = Train(step);
  for (int i = 0; i < schema_.blocks_size(); ++i) {
    if (schema_.blocks(i).optimizer().has_decayed_sums())
      step.blocks()[i] = trained.gradients.blocks[i];
  }

  const StepOutput counted = Score(step);

  // The only batch that was counted is this one: its moments are those that training used.
  EXPECT_NE(before.logits[0], counted.logits[0]);
  ExpectNear(counted.logits[0], trained.output.logits[0], "logit");
  ExpectNear(counted.logits[1], trained.output.logits[1], "logit");
}

TEST_F(SceneModelTest, FreshSceneOfStarIsWhatAllShare) {
  Build(StarText(""));
  SampleStep step = Trained(40, 15);
  SampleStep fresh(schema_, 40, 15);
  for (int i = 0; i < schema_.blocks_size(); ++i) {
    if (IsOf(static_cast<size_t>(i), "song"))
      step.blocks()[i] = fresh.blocks()[i];
  }
  SampleStep unlisted = step;
  SetScenes(kSong, step.batch());
  SetScenes(kUnlistedScene, unlisted.batch());

  EXPECT_EQ(Score(step).logits, Score(unlisted).logits);
}

TEST_F(SceneModelTest, StarWithoutNormHasNoStatistics) {
  Build(StarText("partitioned_norm: false"));

  for (const BlockSpec& block : schema_.blocks()) {
    EXPECT_THAT(block.name(), testing::Not(HasSubstr("norm")));
  }
  SampleStep step = Trained(20, 16);
  EXPECT_GT(Train(step).output.loss, 0);
}

}  // namespace
}  // namespace antiphon
