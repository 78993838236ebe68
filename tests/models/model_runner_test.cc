#include "models/model_runner.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/models/runner_fixture.h"

namespace antiphon {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::FloatNear;
using testing::Pointwise;

class ModelRunnerTest : public RunnerTest {
 protected:
  double Loss(SampleStep& step) {
    StepOutput output;
    runner_->Score(step.Input(), output);
    return output.loss;
  }

  // Every gradient against differences of the loss; `table_factor` is what embedding sums are
  // larger by. Float, so only roughly.
  void ExpectGradientsOfLoss(SampleStep& step, double table_factor) {
    const StepResult result = Train(step);
    ExpectDifferences(step, step.blocks(), result.gradients.blocks, 1, "block");
    ExpectDifferences(step, step.tables(), result.gradients.tables, table_factor, "table");
  }

 private:
  void ExpectDifferences(SampleStep& step, std::vector<std::vector<float>>& values,
                         const std::vector<std::vector<float>>& gradients, double factor,
                         const char* kind) {
    constexpr float kStep = 0.003F;
    for (size_t v = 0; v < values.size(); ++v) {
      for (size_t i = 0; i < values[v].size(); ++i) {
        const float before = values[v][i];
        values[v][i] = before + kStep;
        const double above = Loss(step);
        values[v][i] = before - kStep;
        const double below = Loss(step);
        values[v][i] = before;
        const double expected = factor * (above - below) / (2.0 * kStep);
        EXPECT_NEAR(gradients[v][i], expected, 0.02 * (0.05 * factor + std::abs(expected)))
            << kind << " " << v << " element " << i;
      }
    }
  }
};

// Smooth networks: ReLU's corners would spoil the differences.
std::string SmoothMmoe() {
  return R"(model_class: "MMoE" mmoe {
              expert_dnn { hidden_units: [4, 3] activation: "tanh" } num_expert: 2
              task_towers { tower_name: "click" label_name: "click"
                            dnn { hidden_units: 3 activation: "sigmoid" use_ln: true } }
              task_towers { tower_name: "like" label_name: "like" weight: 0.5 } })";
}

TEST_F(ModelRunnerTest, MmoeGradientsAreThoseOfTheLoss) {
  Build(SampleJob(SmoothMmoe()));
  SampleStep step(schema_, 9, 5);

  ExpectGradientsOfLoss(step, 9);
}

TEST_F(ModelRunnerTest, LrGradientsAreThoseOfTheLoss) {
  Job job = SampleJob(R"(model_class: "LR" lr {
      task_towers { tower_name: "click" label_name: "click" }
      task_towers { tower_name: "like" label_name: "like" } })");
  for (FeatureConfig& feature : *job.mutable_feature_config()->mutable_features()) {
    if (feature.has_embedding_dim())
      feature.set_embedding_dim(2);
  }
  Build(job);
  SampleStep step(schema_, 9, 6);

  ExpectGradientsOfLoss(step, 9);
}

TEST_F(ModelRunnerTest, EsmmGradientsAreThoseOfTheLoss) {
  Build(SampleJob(R"(model_class: "ESMM" esmm {
      bottom_dnn { hidden_units: 4 activation: "tanh" }
      ctr_tower { tower_name: "ctr" label_name: "click" }
      cvr_tower { tower_name: "cvr" label_name: "like" weight: 1.5 } })"));
  SampleStep step(schema_, 9, 7);

  ExpectGradientsOfLoss(step, 9);
}

// The sample job whose tags are what the user met before, the target being the author.
Job JobWithHistory(const std::string& options) {
  Job job = SampleJob(R"(model_class: "DNN" dnn_model {
      task_towers { tower_name: "click" label_name: "click"
                    dnn { hidden_units: 4 activation: "tanh" } }
      task_towers { tower_name: "like" label_name: "like" } })");
  job.mutable_feature_config()->mutable_features(3)->set_feature_type(
      FeatureConfig::SequenceFeature);
  FeatureGroup& group = *job.mutable_model_config()->mutable_feature_groups(0);
  group.mutable_feature_names()->DeleteSubrange(0, 1);  // the tags
  CHECK(google::protobuf::TextFormat::MergeFromString(
      R"(sequence_features { group_name: "history" seq_att_map { key: "author" hist_seq: "tags" }
                             attention_dnn { hidden_units: 5 activation: "tanh" } )" +
          options + "}",
      &group));
  return job;
}

TEST_F(ModelRunnerTest, GradientsThroughAnAttentionAreThoseOfTheLoss) {
  Build(JobWithHistory(""));
  SampleStep step(schema_, 9, 21);

  ExpectGradientsOfLoss(step, 9);
}

TEST_F(ModelRunnerTest, GradientsThroughTwoLevelsOfAttentionAreThoseOfTheLoss) {
  Build(JobWithHistory("segments { short_length: 1 long_length: 2 attention_dim: 3 }"));
  SampleStep step(schema_, 9, 22);

  ExpectGradientsOfLoss(step, 9);
}

TEST_F(ModelRunnerTest, BatchWithoutAnyHistoryTrains) {
  Build(JobWithHistory("segments {}"));
  SampleStep step(schema_, 9, 23);
  SparseColumn& history = step.batch().sparse[2];
  std::fill(history.offsets.begin(), history.offsets.end(), 0);

  const StepResult result = Train(step);

  EXPECT_GT(result.output.loss, 0);
  for (int i = 0; i < schema_.blocks_size(); ++i) {
    const bool of_attention = schema_.blocks(i).name().starts_with("history.");
    EXPECT_EQ(result.gradients.block_present[static_cast<size_t>(i)], of_attention ? 0 : 1);
  }
}

TEST_F(ModelRunnerTest, TasksWithOwnDivisorsStillPushSumsToTheTables) {
  Job job = SampleJob(SmoothMmoe());
  Build(job);
  SampleStep step(schema_, 40, 8, 0.6);
  const StepResult by_count = Train(step);
  job.mutable_model_config()->set_loss_reduction(ModelConfig::SUM);
  Build(job);

  const StepResult sums = Train(step);

  for (size_t t = 0; t < sums.gradients.tables.size(); ++t) {
    for (size_t i = 0; i < sums.gradients.tables[t].size(); ++i) {
      EXPECT_NEAR(by_count.gradients.tables[t][i], sums.gradients.tables[t][i], 1e-5);
    }
  }
  EXPECT_NE(by_count.gradients.blocks[0], sums.gradients.blocks[0]);
}

TEST_F(ModelRunnerTest, DenseGradientsWithOwnDivisorsAreThoseOfTheLoss) {
  Build(SampleJob(SmoothMmoe()));
  SampleStep step(schema_, 30, 9, 0.7);
  const double before = Loss(step);
  const StepResult result = Train(step);
  double square = 0;
  constexpr float kRate = 1e-3F;
  for (size_t b = 0; b < step.blocks().size(); ++b) {
    for (size_t i = 0; i < step.blocks()[b].size(); ++i) {
      const float gradient = result.gradients.blocks[b][i];
      square += static_cast<double>(gradient) * gradient;
      step.blocks()[b][i] -= kRate * gradient;
    }
  }

  EXPECT_NEAR(before - Loss(step), kRate * square, 0.02 * kRate * square);
}

TEST_F(ModelRunnerTest, ThreadsChangeNothingButRounding) {
  Build(SampleJob(MmoeText()));
  SampleStep step(schema_, 1301, 10, 0.8);
  const StepResult one = Train(step);
  Build(SampleJob(MmoeText()), 3);

  const StepResult three = Train(step);

  EXPECT_NEAR(three.output.loss, one.output.loss, 1e-7);
  ASSERT_EQ(three.output.logits.size(), one.output.logits.size());
  for (size_t task = 0; task < one.output.logits.size(); ++task) {
    // Eigen rounds a row by where it lies in its slice; the other matrix libraries do not.
    EXPECT_THAT(three.output.logits[task], Pointwise(FloatNear(1e-6F), one.output.logits[task]));
  }
  EXPECT_EQ(three.gradients.block_present, one.gradients.block_present);
  for (size_t b = 0; b < one.gradients.blocks.size(); ++b) {
    for (size_t i = 0; i < one.gradients.blocks[b].size(); ++i) {
      EXPECT_NEAR(three.gradients.blocks[b][i], one.gradients.blocks[b][i], 1e-5);
    }
  }
}

TEST_F(ModelRunnerTest, SameInputsGiveTheSameBits) {
  Build(SampleJob(MmoeText()), 2);
  SampleStep step(schema_, 700, 11);
  const StepResult first = Train(step);

  for (int i = 0; i < 5; ++i) {
    const StepResult again = Train(step);
    EXPECT_EQ(again.gradients.blocks, first.gradients.blocks);
    EXPECT_EQ(again.gradients.tables, first.gradients.tables);
    EXPECT_EQ(again.output.loss, first.output.loss);
  }
}

TEST_F(ModelRunnerTest, TaskWithoutALabelLeavesItsOwnBlocksAlone) {
  Build(SampleJob(MmoeText()));
  SampleStep step(schema_, 50, 12);
  std::fill(step.batch().labels[1].begin(), step.batch().labels[1].end(), kUnknownLabel);

  const StepResult result = Train(step);

  for (const char* name : {"like.gate.weight", "like.gate.bias", "like.0.weight", "like.0.bias",
                           "like.logit.weight", "like.logit.bias"}) {
    EXPECT_EQ(result.gradients.block_present[Block(name)], 0) << name;
    EXPECT_THAT(result.gradients.blocks[Block(name)], Each(0.0F)) << name;
  }
  for (const char* name : {"click.gate.weight", "click.0.weight", "experts.0.weight"}) {
    EXPECT_EQ(result.gradients.block_present[Block(name)], 1) << name;
  }
}

TEST_F(ModelRunnerTest, SceneWithoutATaskTeachesItNothing) {
  Build(SampleJob(MmoeText() + R"(scene_tasks { scene: "song" tower_names: "click" })"));
  SampleStep step(schema_, 50, 13);
  std::fill(step.batch().scene.begin(), step.batch().scene.end(), 1U);

  const StepResult result = Train(step);

  EXPECT_EQ(result.gradients.block_present[Block("like.0.weight")], 0);
  EXPECT_EQ(result.gradients.block_present[Block("click.0.weight")], 1);
}

TEST_F(ModelRunnerTest, MaskedLabelsHaveNoInfluenceOnAnyBit) {
  Build(SampleJob(MmoeText() + R"(scene_tasks { scene: "song" tower_names: "click" })"));
  SampleStep step(schema_, 80, 14);
  const StepResult before = Train(step);
  for (size_t r = 0; r < 80; ++r) {
    float& like = step.batch().labels[1][r];
    if (step.batch().scene[r] == 1)
      like = 1 - like;
  }

  const StepResult after = Train(step);

  EXPECT_EQ(after.gradients.blocks, before.gradients.blocks);
  EXPECT_EQ(after.gradients.tables, before.gradients.tables);
  EXPECT_EQ(after.output.loss, before.output.loss);
}

TEST_F(ModelRunnerTest, GradientsOfScenesAddUpToThatOfTheBatch) {
  Job job = SampleJob(MmoeText());
  job.mutable_model_config()->set_loss_reduction(ModelConfig::SUM);
  Build(job);
  SampleStep step(schema_, 60, 15);
  const StepResult whole = Train(step);
  std::vector<double> sum(whole.gradients.blocks[0].size());

  for (const uint32_t scene : {0U, 1U}) {
    step.batch().sample_weight.clear();
    for (const uint32_t other : step.batch().scene) {
      step.batch().sample_weight.push_back(other == scene ? 1.0F : 0.0F);
    }
    const StepResult part = Train(step);
    for (size_t i = 0; i < sum.size(); ++i)
      sum[i] += part.gradients.blocks[0][i];
  }

  for (size_t i = 0; i < sum.size(); ++i) {
    EXPECT_NEAR(sum[i], whole.gradients.blocks[0][i], 1e-5);
  }
}

TEST_F(ModelRunnerTest, DropoutFollowsItsSeedAndIsOffWhenScoring) {
  Build(SampleJob(R"(model_class: "DNN" dnn_model { task_towers {
      tower_name: "click" label_name: "click"
      dnn { hidden_units: 16 dropout_ratio: 0.5 } } })"));
  SampleStep step(schema_, 40, 16);

  const StepResult first = Train(step, 1);
  const StepResult same = Train(step, 1);
  const StepResult other = Train(step, 2);

  EXPECT_EQ(first.output.logits, same.output.logits);
  EXPECT_NE(first.output.logits, other.output.logits);
  EXPECT_EQ(Loss(step), Loss(step));
}

TEST_F(ModelRunnerTest, EmptyBatchIsNoStep) {
  Build(SampleJob(MmoeText()), 2);
  SampleStep step(schema_, 0, 17);

  const StepResult result = Train(step);

  EXPECT_EQ(result.output.loss, 0);
  EXPECT_THAT(result.gradients.block_present, Each(0));
}

TEST_F(ModelRunnerTest, EsmmPredictsClickAndConversion) {
  Build(SampleJob(R"(model_class: "ESMM" esmm {
      ctr_tower { tower_name: "ctr" label_name: "click" }
      cvr_tower { tower_name: "cvr" label_name: "like" } })"));
  SampleStep step(schema_, 30, 18);

  const StepResult result = Train(step);

  for (size_t r = 0; r < 30; ++r) {
    EXPECT_LT(result.output.logits[1][r], result.output.logits[0][r]) << "P <= p";
    const float click = step.batch().labels[0][r];
    const float like = step.batch().labels[1][r];
    EXPECT_EQ(runner_->targets().label(1)[r], click * like);
  }
}

TEST_F(ModelRunnerTest, GradientsOfPairsReachBothPartsOfARow) {
  for (const char* fm :
       {" fm { mode: BI_VECTOR }", " fm { mode: LOGIT }", " fm { mode: KERNEL }"}) {
    Job job = SampleJob(SmoothMmoe() + fm);
    job.mutable_feature_config()->mutable_features(0)->set_embedding_dim(3);
    Build(job);
    SampleStep step(schema_, 9, 23);

    ExpectGradientsOfLoss(step, 9);
  }
}

TEST_F(ModelRunnerTest, FunnelGradientsAreThoseOfTheLoss) {
  Build(SampleJob(R"(model_class: "Funnel" funnel {
      bottom_dnn { hidden_units: 4 activation: "tanh" }
      events { tower { tower_name: "click" label_name: "click" } }
      events { tower { tower_name: "watch" label_name: "like" } after: "click" }
      events { tower { tower_name: "gift" label_name: "click" weight: 1.5 }
               after: "watch" after_not: "watch" } })"));
  SampleStep step(schema_, 9, 21);

  ExpectGradientsOfLoss(step, 9);
}

TEST_F(ModelRunnerTest, AnEventOfWeightZeroIsMeasuredAndMovesNothing) {
  Build(SampleJob(R"(model_class: "Funnel" funnel {
      events { tower { tower_name: "click" label_name: "click" weight: 0 } }
      events { tower { tower_name: "watch" label_name: "like" } after: "click" }
      events { tower { tower_name: "gift" label_name: "like" weight: 0 } after: "click" } })"));
  SampleStep step(schema_, 30, 19);

  const StepResult result = Train(step);

  // Two blocks a tower; click is part of the loss of watch, gift of none.
  EXPECT_THAT(result.gradients.block_present, ElementsAre(1, 1, 1, 1, 0, 0));
  ASSERT_EQ(result.output.logits.size(), 5U);
  for (size_t r = 0; r < 30; ++r) {
    EXPECT_LT(result.output.logits[1][r], result.output.logits[3][r]) << "P(watch) <= P(w|click)";
  }
}

TEST_F(ModelRunnerTest, RequestsAreNeverCut) {
  Job job = SampleJob(R"(model_class: "DNN" dnn_model {
      task_towers { tower_name: "click" label_name: "click" loss_type: PAIRWISE }
      task_towers { tower_name: "like" label_name: "like" loss_type: LISTWISE } })");
  job.mutable_data_config()->set_request_field("request");
  job.mutable_data_config()->set_shuffle(false);
  StepResult results[2];
  for (const int threads : {1, 4}) {
    Build(job, threads);
    SampleStep step(schema_, 2500, 22, 0.9);
    for (uint32_t r = 0; r < 2500; ++r)
      step.batch().request.push_back(r / 70);
    results[threads / 4] = Train(step);
  }

  EXPECT_NEAR(results[0].output.loss, results[1].output.loss, 1e-6);
  for (size_t b = 0; b < results[0].gradients.blocks.size(); ++b) {
    EXPECT_THAT(results[0].gradients.blocks[b],
                testing::Pointwise(testing::FloatNear(1e-5F), results[1].gradients.blocks[b]));
  }
}

TEST_F(ModelRunnerTest, GradientsOfEveryLossAreThoseOfTheLoss) {
  for (const std::string loss : {"L2_LOSS", "HUBER", "WEIGHTED_LOGISTIC", "PAIRWISE", "LISTWISE"}) {
    Job job = SampleJob(R"(model_class: "DNN" dnn_model { task_towers {
        tower_name: "like" label_name: "like" dnn { hidden_units: 3 activation: "tanh" }
        loss_type: )" + loss +
                        "} } loss_reduction: BY_BATCH");
    job.mutable_data_config()->set_request_field("request");
    job.mutable_data_config()->set_shuffle(false);
    Build(job);
    SampleStep step(schema_, 9, 23);
    step.batch().request = {1, 1, 1, 1, 2, 2, 2, 2, 2};
    step.batch().labels[0] = {2, 0, 1, 0, 0.5F, 3, 0, 0, 1};
    ExpectGradientsOfLoss(step, 9);
  }
}

TEST_F(ModelRunnerTest, RefusesTheSchemaOfAnotherModel) {
  const Job job = SampleJob(MmoeText());
  StatusOr<ParameterSchema> schema = BuildParameterSchema(job);
  ASSERT_TRUE(schema.ok()) << schema.status();
  schema->mutable_blocks(0)->set_cols(3);

  EXPECT_EQ(ModelRunner::Create(job, *schema, gemm_, {}).status().code(),
            StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace antiphon
