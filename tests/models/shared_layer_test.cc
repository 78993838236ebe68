// What each model calls the last layer that its tasks share: the norms that a step measures there
// against a direct computation.
#include "models/shared_layer.h"

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "common/optim/loss_balance.h"
#include "models/input_layout.h"
#include "models/model.h"
#include "tests/models/runner_fixture.h"

namespace antiphon {
namespace {

using testing::FloatNear;
using testing::Pointwise;

constexpr char kTowers[] = R"(
  task_towers { tower_name: "click" label_name: "click" dnn { hidden_units: 5 } }
  task_towers { tower_name: "like" label_name: "like" dnn { hidden_units: 5 } weight: 0.5 } } )";

std::string GradNormText(const std::string& source) {
  return "loss_weight_strategy: GradNorm grad_norm { update_every: 1 source: " + source + " }";
}

class SharedLayerTest : public RunnerTest {
 protected:
  // The norms that a step pushes, without the weights of the balance.
  std::vector<float> Norms(const StepGradients& gradients) const {
    const std::vector<float>& rows = gradients.blocks[Block("task_weights")];
    return {rows.begin(), rows.begin() + 2};
  }
  // A step whose blocks have moved away from where they start.
  SampleStep Moved(uint32_t rows) {
    SampleStep step(schema_, rows, 4, 0.8);
    Rng rng(5);
    for (std::vector<float>& block : step.blocks()) {
      for (float& x : block)
        x += static_cast<float>(0.1 * rng.Normal());
    }
    step.blocks()[Block("task_weights")] = {1.7F, 0.3F, 1, 1, 1, 1};
    return step;
  }
};

// Going back task by task down to the layer is going back once.
TEST_F(SharedLayerTest, MeasuringChangesTheGradientsByRoundingOnly) {
  const std::string mmoe = R"(model_class: "MMoE" mmoe {
      expert_dnn { hidden_units: [8, 6] dropout_ratio: 0.2 use_ln: true } )";
  const std::string ums = R"(model_class: "UMS" ums { public_dnn { hidden_units: 6 }
      expert_dnn { hidden_units: 5 } private_dnn { hidden_units: 4 } stop_public_gradient: false
      cross_scene_scores: STOP_GRADIENT )";
  const std::string star = R"(model_class: "STAR" star { aux_dnn { hidden_units: 3 } )";
  for (const Job& job : {SampleJob(mmoe + kTowers), SampleJob(ums + kTowers),
                         SampleJob(star + kTowers), PepNetSampleJob(kTowers)}) {
    for (const char* source : {"WEIGHT", "ACTIVATION"}) {
      const std::string& name = job.model_config().model_class();
      if (source == std::string("WEIGHT") && (name == "STAR" || name == "PEPNet")) {
        continue;
      }
      SCOPED_TRACE(name + " " + source);
      for (const double known : {1.0, 0.7}) {
        Build(job);
        SampleStep step(schema_, 1300, 3, known);
        const StepGradients expected = Train(step).gradients;
        Job measured = job;
        CHECK(google::protobuf::TextFormat::MergeFromString(GradNormText(source),
                                                            measured.mutable_model_config()));
        Build(measured, 2);
        step.blocks().emplace_back(6, 1.0F);
        const StepGradients gradients = Train(step).gradients;

        for (size_t b = 0; b < expected.blocks.size(); ++b) {
          EXPECT_EQ(gradients.block_present[b], expected.block_present[b]) << BlockName(b);
          if (!schema_.blocks(static_cast<int>(b)).optimizer().has_decayed_sums()) {
            EXPECT_THAT(gradients.blocks[b], Pointwise(FloatNear(1e-5F), expected.blocks[b]));
          }
        }
        for (size_t t = 0; t < expected.tables.size(); ++t) {
          EXPECT_THAT(gradients.tables[t], Pointwise(FloatNear(1e-3F), expected.tables[t]));
        }
      }
    }
  }
}

// The gradient of its weights when a task is alone is that of the task.
TEST_F(SharedLayerTest, NormsOfWeightsAreThoseOfTheTasksAlone) {
  const std::pair<std::string, std::string> cases[] = {
      {"experts.1.weight", R"(model_class: "MMoE" mmoe { expert_dnn { hidden_units: [8, 6] } )"},
      {"top.share.experts.0.weight", R"(model_class: "PLE" ple {
          extraction_networks { network_name: "low" task_expert_net { hidden_units: 6 } }
          extraction_networks { network_name: "top" share_num: 2
                                task_expert_net { hidden_units: 5 } } )"},
      {"experts.0.weight", R"(model_class: "UMS" ums { public_dnn { hidden_units: 6 }
          expert_dnn { hidden_units: 5 } private_dnn { hidden_units: 4 } )"}};
  for (const auto& [weight, model] : cases) {
    SCOPED_TRACE(model);
    Build(SampleJob(model + kTowers + GradNormText("WEIGHT")), 2);
    SampleStep step = Moved(500);
    const std::vector<float> norms = Norms(Train(step).gradients);
    for (size_t k = 0; k < 2; ++k) {
      SampleStep alone = step;
      std::vector<float>& other = alone.batch().labels[1 - k];
      std::fill(other.begin(), other.end(), kUnknownLabel);
      const StepResult result = Train(alone);
      double square = 0;
      for (const float g : result.gradients.blocks[Block(weight)])
        square += double{g} * g;
      EXPECT_GT(norms[k], 0);
      EXPECT_NEAR(norms[k] * (k == 0 ? 1.7 : 0.3), std::sqrt(square), 1e-5);
    }
  }
}

// Three numbers for the towers, two for the gates of PEPNet's input, two for those of its layers.
Job NumberJob(const std::string& model) {
  Job job;
  CHECK(google::protobuf::TextFormat::ParseFromString(R"(
      train_config { optimizer_config { sgd_optimizer {} } }
      data_config { label_fields: ["click", "like"] scene_field: "scene" scenes: ["home", "song"] }
      feature_config {
        features { input_names: "e" feature_type: RawFeature raw_input_dim: 3 }
        features { input_names: "d" feature_type: RawFeature raw_input_dim: 2 }
        features { input_names: "p" feature_type: RawFeature raw_input_dim: 2 } }
      model_config {
        feature_groups { group_name: "all" feature_names: "e" }
        feature_groups { group_name: "domain" feature_names: "d" }
        feature_groups { group_name: "prior" feature_names: "p" } )" +
                                                          model + kTowers +
                                                          GradNormText("ACTIVATION") + "}",
                                                      &job));
  return job;
}

// One pass over the rows of one scene, in double and with one loss: the square of the gradient that
// it leaves at the shared layer's output.
double SquareAtOutput(const Job& job, const std::vector<std::vector<float>>& floats,
                      const Batch& batch, const SceneRows& rows, size_t task, double scale) {
  const Gemm gemm = Gemm::Create(GemmBackend::kEigen);
  Tape<double> tape(gemm, GenericKernels<double>());
  tape.Reset(Tape<double>::Recording::kYes);
  BlockList list;
  const auto model = MakeModel<double>(job.model_config(), MakeInputLayout(job).shape, list);
  std::vector<std::vector<double>> values;
  std::vector<std::vector<double>> gradients;
  std::vector<GradBuffer<double>> buffers(list.size());
  std::vector<Var<double>> blocks;
  for (BlockId b = 0; b < list.size(); ++b) {
    values.emplace_back(floats[b].begin(), floats[b].end());
    gradients.emplace_back(floats[b].size());
  }
  for (BlockId b = 0; b < list.size(); ++b) {
    buffers[b] = {.data = gradients[b].data(), .size = gradients[b].size()};
    const BlockSpec& spec = list.specs()[b];
    blocks.push_back(
        tape.Leaf(values[b].data(), spec.rows(), spec.cols(), kParameters, &buffers[b]));
  }
  const size_t width = batch.dense_width;
  const std::vector<double> input(batch.dense.begin() + rows.begin * width,
                                  batch.dense.begin() + (rows.begin + rows.rows) * width);
  SharedLayer<double> shared;
  const SceneRows all[] = {{rows.scene, 0, rows.rows}};
  const Pass<double> pass{.tape = tape,
                          .blocks = blocks,
                          .purpose = Pass<double>::Purpose::kTrain,
                          .dropout = {},
                          .scenes = all,
                          .shared = &shared};
  std::vector<Var<double>> logits(2);
  model->Forward(pass, tape.Constant(input.data(), rows.rows, width), logits);
  std::vector<double> labels[2];
  std::vector<double> weights(rows.rows, 1);
  std::vector<Target<double>> targets;
  for (size_t k = 0; k < 2; ++k) {
    labels[k].assign(batch.labels[k].begin() + rows.begin,
                     batch.labels[k].begin() + rows.begin + rows.rows);
    targets.push_back({.label = labels[k].data(), .weight = weights.data(), .request = nullptr});
  }
  std::vector<double> scales(2);
  scales[task] = scale;
  std::vector<double> sums(2);
  model->Losses(tape, logits, targets, scales, sums);
  tape.Backward(kBoth);
  EXPECT_TRUE(tape.Reached(shared.output));
  double square = 0;
  for (size_t i = 0; i < shared.output.size(); ++i)
    square += shared.output.grad[i] * shared.output.grad[i];
  return square;
}

TEST_F(SharedLayerTest, NormsOfOutputsAreThoseOfOnePassInDouble) {
  for (const std::string model :
       {R"(model_class: "STAR" star { aux_dnn { hidden_units: 3 } )",
        R"(model_class: "STAR" star { partitioned_norm: false )",
        R"(model_class: "PEPNet" pepnet { domain_group: "domain" prior_group: "prior" )"}) {
    SCOPED_TRACE(model);
    const Job job = NumberJob(model);
    Build(job, 2);
    constexpr uint32_t kRows = 40;
    SampleStep step = Moved(kRows);
    Batch& batch = step.batch();
    batch.sparse.clear();
    batch.dense_width = 7;
    batch.dense.clear();
    Rng rng(6);
    for (size_t i = 0; i < size_t{kRows} * 7; ++i)
      batch.dense.push_back(static_cast<float>(rng.Normal()));
    for (uint32_t r = 0; r < kRows; ++r) {
      batch.scene[r] = r < 25 ? 0 : 1;
      batch.labels[0][r] = r % 2 == 0 ? 1 : 0;
      batch.labels[1][r] = r % 3 == 0 ? 1 : 0;
    }

    const std::vector<float> norms = Norms(Train(step).gradients);

    for (size_t k = 0; k < 2; ++k) {
      const double scale = (k == 0 ? 1 : 0.5) / kRows;
      const double square =
          SquareAtOutput(job, step.blocks(), batch, {0, 0, 25}, k, scale) +
          SquareAtOutput(job, step.blocks(), batch, {1, 25, kRows - 25}, k, scale);
      EXPECT_NEAR(norms[k] / std::sqrt(square), 1, 1e-4) << k;
    }
  }
}

// The dense part is projected, what was counted is not, and embeddings get the sum.
TEST_F(SharedLayerTest, PcGradCountsTheMomentsOfStarOnce) {
  const std::string model = std::string(R"(model_class: "STAR" star { )") + kTowers;
  Build(SampleJob(model));
  SampleStep step(schema_, 80, 9);
  const StepResult sum = Train(step);
  Build(SampleJob(model + "loss_weight_strategy: PCGrad"), 2);

  const StepResult projected = Train(step);

  EXPECT_EQ(projected.gradients.block_present, sum.gradients.block_present);
  for (int b = 0; b < schema_.blocks_size(); ++b) {
    if (schema_.blocks(b).optimizer().has_decayed_sums()) {
      EXPECT_EQ(projected.gradients.blocks[b], sum.gradients.blocks[b]) << BlockName(b);
    }
  }
  for (size_t t = 0; t < sum.gradients.tables.size(); ++t) {
    EXPECT_THAT(projected.gradients.tables[t],
                Pointwise(FloatNear(1e-4F), sum.gradients.tables[t]));
  }
}

}  // namespace
}  // namespace antiphon
