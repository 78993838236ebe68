// Balance of tasks in whole steps of a model: what is measured, weighed and pushed.
#include "models/task_balance.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/optim/loss_balance.h"
#include "tests/models/runner_fixture.h"
#include "tests/support/golden_vector.h"

namespace antiphon {
namespace {

using nlohmann::json;
using testing::DoubleNear;
using testing::FloatNear;
using testing::Pointwise;

class TaskBalanceTest : public RunnerTest {
 protected:
  void Train(const StepInput& input) { runner_->Train(input, 1, gradients_, output_); }

  // Row `row` of what was pushed for the weights of the tasks.
  std::vector<float> Measured(MeasuredRow row) const {
    const std::vector<float>& rows = gradients_.blocks[Block("task_weights")];
    const auto tasks = static_cast<ptrdiff_t>(rows.size() / kBalanceRows);
    const auto begin = rows.begin() + static_cast<ptrdiff_t>(row) * tasks;
    return {begin, begin + tasks};
  }
  bool pushed(const std::string& block) const {
    return gradients_.block_present[Block(block)] != 0;
  }

  StepGradients gradients_;
  StepOutput output_;
};

// The job of the vector: four numbers, a bottom of three, three linear towers.
Job VectorJob(const json& inputs) {
  Job job;
  CHECK(google::protobuf::TextFormat::ParseFromString(R"(
    train_config { optimizer_config { sgd_optimizer {} } }
    data_config { label_fields: ["y0", "y1", "y2"] }
    feature_config { features { feature_name: "e" input_names: "e" feature_type: RawFeature
                                raw_input_dim: 4 } }
    model_config {
      model_class: "SharedBottom"
      feature_groups { group_name: "all" feature_names: "e" }
      shared_bottom { bottom_dnn { hidden_units: 3 } }
      loss_weight_strategy: GradNorm
      grad_norm { alpha: 0.5 update_every: 1 loss_decay: 0 } })",
                                                      &job));
  for (size_t k = 0; k < 3; ++k) {
    TaskTower& tower = *job.mutable_model_config()->mutable_shared_bottom()->add_task_towers();
    tower.set_tower_name("tower" + std::to_string(k));
    tower.set_label_name("y" + std::to_string(k));
    tower.set_weight(inputs["loss_scale"][k].get<float>());
  }
  return job;
}

std::vector<float> Flat(const json& matrix) {
  std::vector<float> out;
  for (const json& row : matrix) {
    if (row.is_number()) {
      out.push_back(row.get<float>());
      continue;
    }
    const std::vector<float> inner = Flat(row);
    out.insert(out.end(), inner.begin(), inner.end());
  }
  return out;
}

// A worker and the lane it pushes to, in small: three steps against tests/golden.
TEST_F(TaskBalanceTest, GradNormTrainsAsTheReferenceDoes) {
  const json vector = LoadVector("gradnorm");
  Build(VectorJob(vector["inputs"]));
  std::vector<std::vector<float>> blocks(static_cast<size_t>(schema_.blocks_size()));
  blocks[Block("bottom.0.weight")] = Flat(vector["params"]["bottom.0.W"]);
  blocks[Block("bottom.0.bias")] = Flat(vector["params"]["bottom.0.b"]);
  for (const std::string k : {"0", "1", "2"}) {
    blocks[Block("tower" + k + ".logit.weight")] = Flat(vector["params"]["tower" + k + ".0.W"]);
    blocks[Block("tower" + k + ".logit.bias")] = Flat(vector["params"]["tower" + k + ".0.b"]);
  }
  std::vector<float>& weights = blocks[Block("task_weights")];
  weights.assign(9, 1);
  const auto rule =
      MakeLossBalance(schema_.blocks(static_cast<int>(Block("task_weights"))).loss_balance())
          .value();
  std::vector<float> state(rule->state_floats(9));
  rule->InitState(9, weights.data(), state.data());

  for (size_t t = 0; t < 3; ++t) {
    Batch batch;
    batch.dense = Flat(vector["inputs"]["e"][t]);
    batch.dense_width = 4;
    batch.rows = static_cast<uint32_t>(batch.dense.size() / 4);
    batch.labels.resize(3);
    for (const json& row : vector["inputs"]["y"][t]) {
      for (size_t k = 0; k < 3; ++k)
        batch.labels[k].push_back(row[k].get<float>());
    }
    const std::vector<std::span<const float>> spans(blocks.begin(), blocks.end());
    Train({.batch = &batch, .row_of_value = {}, .table_rows = {}, .blocks = spans});

    const json& expected = vector["outputs"]["steps"][t];
    EXPECT_THAT(output_.task_weights,
                Pointwise(DoubleNear(1e-5), expected["w_used"].get<std::vector<double>>()));
    for (size_t k = 0; k < 3; ++k) {
      EXPECT_NEAR(Measured(kGradientNorm)[k] / expected["norm"][k].get<double>(), 1, 1e-5);
      EXPECT_NEAR(Measured(kTaskLoss)[k] / expected["task_loss"][k].get<double>(), 1, 1e-5);
    }
    for (size_t b = 0; b < blocks.size(); ++b) {
      if (b == Block("task_weights")) {
        rule->Apply(9, t + 1, gradients_.blocks[b].data(), weights.data(), state.data());
        continue;
      }
      for (size_t i = 0; i < blocks[b].size(); ++i)
        blocks[b][i] -= 0.05F * gradients_.blocks[b][i];
    }
    EXPECT_THAT(blocks[Block("bottom.0.weight")],
                Pointwise(FloatNear(1e-5F), Flat(expected["bottom_W_after"])));
  }
}

std::string BalancedMmoe(const std::string& strategy) {
  return R"(model_class: "MMoE" mmoe {
              expert_dnn { hidden_units: [8, 6] dropout_ratio: 0.2 use_ln: true } num_expert: 3
              task_towers { tower_name: "click" label_name: "click" dnn { hidden_units: 5 } }
              task_towers { tower_name: "like" label_name: "like" dnn { hidden_units: 5 }
                            weight: 0.5 } } )" +
         strategy;
}

std::string GradNormText(const std::string& source = "WEIGHT") {
  return "loss_weight_strategy: GradNorm grad_norm { update_every: 1 source: " + source + " }";
}

TEST_F(TaskBalanceTest, AbsentTaskIsNotMeasured) {
  Build(SampleJob(BalancedMmoe(GradNormText())));
  SampleStep step(schema_, 60, 5);
  std::fill(step.batch().labels[1].begin(), step.batch().labels[1].end(), kUnknownLabel);

  Train(step.Input());

  EXPECT_THAT(Measured(kTaskPresent), testing::ElementsAre(1, 0));
  EXPECT_FALSE(pushed("like.0.weight"));
  EXPECT_TRUE(pushed("task_weights"));
}

TEST_F(TaskBalanceTest, IsolatedTaskHasNoShareInTheBalance) {
  Job job = SampleJob(BalancedMmoe(GradNormText()));
  job.mutable_model_config()->mutable_mmoe()->mutable_task_towers(1)->set_isolate(
      TaskTower::BACKBONE_STOP);
  Build(job);
  SampleStep step(schema_, 60, 5);

  Train(step.Input());

  EXPECT_THAT(Measured(kTaskPresent), testing::ElementsAre(1, 0));
  EXPECT_TRUE(pushed("like.0.weight"));
}

TEST_F(TaskBalanceTest, EsmmIsMeasuredLossByLoss) {
  Build(SampleJob(R"(model_class: "ESMM" esmm {
      bottom_dnn { hidden_units: 6 }
      ctr_tower { tower_name: "ctr" label_name: "click" dnn { hidden_units: 4 } }
      cvr_tower { tower_name: "cvr" label_name: "like" dnn { hidden_units: 4 } } })" +
                  GradNormText()));
  SampleStep step(schema_, 200, 6);
  step.blocks()[Block("task_weights")].assign(6, 1);
  Train(step.Input());
  const std::vector<float> norm = Measured(kGradientNorm);
  const std::vector<float> both = gradients_.blocks[Block("bottom.0.weight")];

  // The click task alone: unknown conversions after a click, and none without one.
  Job job = SampleJob(R"(model_class: "ESMM" esmm {
      bottom_dnn { hidden_units: 6 }
      ctr_tower { tower_name: "ctr" label_name: "click" dnn { hidden_units: 4 } }
      cvr_tower { tower_name: "cvr" label_name: "like" dnn { hidden_units: 4 }
                  isolate: LOSS_MASK } })");
  const std::vector<std::vector<float>> blocks = step.blocks();
  Build(job);
  step.blocks() = blocks;
  step.blocks().pop_back();
  Train(step.Input());
  double click = 0;
  double product = 0;
  const std::vector<float>& alone = gradients_.blocks[Block("bottom.0.weight")];
  for (size_t i = 0; i < alone.size(); ++i) {
    click += double{alone[i]} * alone[i];
    product += std::pow(double{both[i]} - alone[i], 2);
  }

  EXPECT_NEAR(norm[0], std::sqrt(click), 1e-5);
  EXPECT_NEAR(norm[1], std::sqrt(product), 1e-5);
}

TEST_F(TaskBalanceTest, OnlyEveryNthBatchIsMeasuredAndAlwaysTheSame) {
  Build(SampleJob(BalancedMmoe("loss_weight_strategy: GradNorm grad_norm { update_every: 4 }")));
  SampleStep step(schema_, 8, 7);
  int measured = 0;
  for (uint64_t seed = 0; seed < 400; ++seed) {
    runner_->Train(step.Input(), seed, gradients_, output_);
    const bool first = pushed("task_weights");
    runner_->Train(step.Input(), seed, gradients_, output_);
    EXPECT_EQ(pushed("task_weights"), first);
    measured += first ? 1 : 0;
  }

  EXPECT_NEAR(measured, 100, 30);
}

TEST_F(TaskBalanceTest, FrozenWeightsWeighAndNothingIsPushed) {
  Build(SampleJob(
      BalancedMmoe("loss_weight_strategy: GradNorm grad_norm { frozen_weights: [1.5, 0.5] }")));
  SampleStep step(schema_, 50, 8);
  Train(step.Input());
  EXPECT_FALSE(pushed("task_weights"));
  EXPECT_THAT(output_.task_weights, testing::ElementsAre(1.5, 0.5));
  EXPECT_THAT(output_.mean_task_weights, testing::IsEmpty());
  StepGradients frozen = gradients_;
  frozen.blocks.pop_back();
  Job job = SampleJob(BalancedMmoe(""));
  job.mutable_model_config()->mutable_mmoe()->mutable_task_towers(0)->set_weight(1.5F);
  job.mutable_model_config()->mutable_mmoe()->mutable_task_towers(1)->set_weight(0.25F);
  Build(job);
  step.blocks().pop_back();

  Train(step.Input());

  EXPECT_EQ(gradients_.blocks, frozen.blocks);
  EXPECT_EQ(gradients_.tables, frozen.tables);
}

TEST_F(TaskBalanceTest, PcGradOfOneTaskIsItsGradientAndTablesGetTheSum) {
  Build(SampleJob(BalancedMmoe("")));
  SampleStep step(schema_, 200, 9);
  Train(step.Input());
  const StepGradients sum = gradients_;
  Build(SampleJob(BalancedMmoe("loss_weight_strategy: PCGrad")), 2);
  Train(step.Input());

  for (size_t i = 0; i < sum.tables.size(); ++i) {
    EXPECT_THAT(gradients_.tables[i], Pointwise(FloatNear(1e-4F), sum.tables[i]));
  }
  EXPECT_EQ(gradients_.block_present, sum.block_present);
  EXPECT_THAT(gradients_.blocks[Block("like.0.weight")],
              Pointwise(FloatNear(1e-5F), sum.blocks[Block("like.0.weight")]));

  std::fill(step.batch().labels[1].begin(), step.batch().labels[1].end(), kUnknownLabel);
  Train(step.Input());
  const StepGradients alone = gradients_;
  Build(SampleJob(BalancedMmoe("")));
  Train(step.Input());

  EXPECT_EQ(alone.block_present, gradients_.block_present);
  for (size_t b = 0; b < alone.blocks.size(); ++b) {
    EXPECT_THAT(alone.blocks[b], Pointwise(FloatNear(1e-5F), gradients_.blocks[b]));
  }
}

// As after a restore of a job that has grown.
TEST_F(TaskBalanceTest, BlocksMayStandInAnotherOrder) {
  const std::vector<std::string> strategies = {GradNormText(), "loss_weight_strategy: PCGrad",
                                               "loss_weight_strategy: Uncertainty"};
  for (const std::string& strategy : strategies) {
    const Job job = SampleJob(BalancedMmoe(strategy));
    Build(job);
    SampleStep step(schema_, 60, 10);
    Train(step.Input());
    StepGradients expected = gradients_;
    std::reverse(expected.blocks.begin(), expected.blocks.end());
    std::reverse(expected.block_present.begin(), expected.block_present.end());
    std::reverse(schema_.mutable_blocks()->begin(), schema_.mutable_blocks()->end());
    std::reverse(step.blocks().begin(), step.blocks().end());
    runner_ = ModelRunner::Create(job, schema_, gemm_, {}).value();

    Train(step.Input());

    EXPECT_EQ(gradients_.blocks, expected.blocks) << strategy;
    EXPECT_EQ(gradients_.block_present, expected.block_present) << strategy;
  }
}

TEST_F(TaskBalanceTest, ColumnsOfTaskWeightsMayStandInAnotherOrder) {
  const Job job = SampleJob(BalancedMmoe(GradNormText()));
  Build(job);
  SampleStep step(schema_, 60, 10);
  step.blocks()[Block("task_weights")] = {1.5F, 0.5F, 1.25F, 0.75F, 1, 1};
  Train(step.Input());
  const StepOutput expected = output_;
  const std::vector<float> norm = Measured(kGradientNorm);
  LossBalance& balance =
      *schema_.mutable_blocks(static_cast<int>(Block("task_weights")))->mutable_loss_balance();
  balance.mutable_tasks()->SwapElements(0, 1);
  step.blocks()[Block("task_weights")] = {0.5F, 1.5F, 0.75F, 1.25F, 1, 1};
  runner_ = ModelRunner::Create(job, schema_, gemm_, {}).value();

  Train(step.Input());

  EXPECT_EQ(output_.loss, expected.loss);
  EXPECT_EQ(output_.mean_task_weights, expected.mean_task_weights);
  EXPECT_THAT(Measured(kGradientNorm), testing::ElementsAre(norm[1], norm[0]));
}

TEST_F(TaskBalanceTest, RefusesColumnsOfOtherTasks) {
  const Job job = SampleJob(BalancedMmoe(GradNormText()));
  Build(job);
  schema_.mutable_blocks(static_cast<int>(Block("task_weights")))
      ->mutable_loss_balance()
      ->set_tasks(1, "share");

  EXPECT_EQ(ModelRunner::Create(job, schema_, gemm_, {}).status().code(),
            StatusCode::kFailedPrecondition);
}

TEST_F(TaskBalanceTest, UncertaintyEqualsReference) {
  const json vector = LoadVector("uncertainty_weighting");
  ModelConfig model;
  CHECK(google::protobuf::TextFormat::ParseFromString(
      R"(model_class: "DNN" loss_weight_strategy: Uncertainty dnn_model {
           task_towers { tower_name: "a" } task_towers { tower_name: "b" }
           task_towers { tower_name: "c" } })",
      &model));
  BlockList list;
  TaskBalance balance(model, list);
  std::vector<std::vector<float>> s;
  StepGradients gradients;
  std::vector<TaskMeasurement> measured;
  for (size_t k = 0; k < 3; ++k) {
    s.push_back({vector["params"]["s"][k].get<float>()});
    gradients.blocks.push_back({0});
    measured.push_back({.present = true, .loss = vector["inputs"]["task_loss"][k].get<double>()});
  }
  gradients.block_present.assign(3, 0);
  const std::vector<std::span<const float>> spans(s.begin(), s.end());

  balance.ReadWeights(spans);
  measured[1].present = false;
  balance.Push(measured, false, gradients);
  EXPECT_EQ(gradients.block_present, (std::vector<uint8_t>{1, 0, 1}));
  measured[1].present = true;
  balance.Push(measured, false, gradients);

  for (size_t k = 0; k < 3; ++k) {
    EXPECT_NEAR(balance.weight(k), vector["outputs"]["weights"][k].get<double>(), 1e-6);
    EXPECT_NEAR(gradients.blocks[k][0], vector["grads"]["s"][k].get<double>(), 1e-6);
  }
}

}  // namespace
}  // namespace antiphon
