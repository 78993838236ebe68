// What is written as ONNX computes what the model computes: every model class, every op.
#include "serving/onnx/model_graph.h"

#include <cmath>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "models/model_config.h"
#include "models/model_runner.h"
#include "models/parameter_schema.h"
#include "tests/models/sample_job.h"
#include "tests/serving/onnx/graph_evaluator.h"

namespace antiphon {
namespace {

// A job and random weights.
class RandomModel final : public TrainedModel {
 public:
  RandomModel(Job job, const ParameterSchema& schema, SampleStep& step)
      : job_(std::move(job)), blocks_(step.blocks()) {
    *plan_.mutable_schema() = schema;
  }

  const Job& job() const override { return job_; }
  const TrainingPlan& plan() const override { return plan_; }
  const std::string& folder() const override { return folder_; }
  bool CopyRow(TableId, Key, float*) const override { return false; }
  std::span<const float> block(BlockId id) const override { return blocks_[id]; }

 private:
  Job job_;
  TrainingPlan plan_;
  std::string folder_;
  std::vector<std::vector<float>>& blocks_;
};

GraphTensor FloatTensor(std::vector<int64_t> dims, const float* values) {
  GraphTensor tensor = {.dims = std::move(dims), .values = {}, .is_whole = false};
  tensor.values.assign(values, values + tensor.size());
  return tensor;
}

constexpr uint32_t kRows = 37;

class ModelGraphTest : public ::testing::Test {
 protected:
  // Scores the same samples by the model and by its graph.
  void ExpectSame(const Job& job) {
    SCOPED_TRACE(job.model_config().ShortDebugString());
    const StatusOr<ParameterSchema> schema = BuildParameterSchema(job);
    ASSERT_TRUE(schema.ok()) << schema.status();
    SampleStep step(*schema, kRows, 11);
    Shake(step, *schema);
    step.batch().scene[3] = kUnlistedScene;
    step.batch().request.resize(kRows);
    StatusOr<std::unique_ptr<ModelRunner>> runner = ModelRunner::Create(job, *schema, gemm_, {});
    ASSERT_TRUE(runner.ok()) << runner.status();
    StepOutput expected;
    (*runner)->Score(step.Input(), expected);

    const RandomModel model(job, *schema, step);
    const StatusOr<onnx::ModelProto> graph = WriteModelGraph(model, 1);
    ASSERT_TRUE(graph.ok()) << graph.status();
    for (const onnx::NodeProto& node : graph->graph().node()) {
      used_.insert(node.op_type());
    }
    const GraphTensors found = EvaluateGraph(*graph, Inputs(job, step));
    const std::vector<std::string> names = MeasureNames(job.model_config());
    ASSERT_EQ(names.size(), expected.logits.size());
    for (size_t m = 0; m < names.size(); ++m) {
      const GraphTensor& logits = found.at("logits_" + names[m]);
      ASSERT_EQ(logits.dims, std::vector<int64_t>{kRows});
      for (uint32_t r = 0; r < kRows; ++r) {
        EXPECT_NEAR(logits.values[r], expected.logits[m][r],
                    2e-5 * (1 + std::abs(expected.logits[m][r])))
            << names[m] << " of row " << r;
      }
    }
    last_ = found;
  }

  // Blocks that start at nothing would hide what they are multiplied with.
  static void Shake(SampleStep& step, const ParameterSchema& schema) {
    Rng rng(5);
    for (int i = 0; i < schema.blocks_size(); ++i) {
      std::vector<float>& values = step.blocks()[static_cast<size_t>(i)];
      const bool are_moments = schema.blocks(i).name().ends_with("moments");
      for (float& value : values) {
        value += static_cast<float>(are_moments ? std::abs(rng.Normal()) : 0.3 * rng.Normal());
      }
      // One scene has counted nothing yet.
      if (are_moments && schema.blocks(i).name().starts_with("scene.song")) {
        values.back() = 0;
      }
    }
  }

  GraphTensors Inputs(const Job& job, SampleStep& step) {
    const InputLayout layout = MakeInputLayout(job);
    const StepInput& input = step.Input();
    Tape<float> tape(gemm_, BestKernels());
    tape.Reset(Tape<float>::Recording::kNo);
    std::vector<Var<float>> tables;
    for (size_t i = 0; i < layout.tables.size(); ++i) {
      const uint32_t dim = layout.tables[i].dim();
      tables.push_back(
          tape.Constant(input.table_rows[i].data(), input.table_rows[i].size() / dim, dim));
    }
    std::vector<uint32_t> rows(kRows);
    for (uint32_t r = 0; r < kRows; ++r) {
      rows[r] = r;
    }
    const Var<float> features = GatherInput(tape, layout, input, tables, rows);
    GraphTensors tensors;
    tensors[kFeaturesInput] = FloatTensor({kRows, features.cols}, features.value);
    GraphTensor scene = {.dims = {kRows}, .values = {}, .is_whole = true};
    for (const uint32_t s : step.batch().scene) {
      scene.values.push_back(s == kUnlistedScene ? -1 : s);
    }
    tensors[kSceneInput] = scene;
    for (const InputLayout::Sequence& sequence : layout.sequences) {
      AddItems(layout, sequence, input, tables[sequence.table], tensors);
    }
    return tensors;
  }

  static void AddItems(const InputLayout& layout, const InputLayout::Sequence& sequence,
                       const StepInput& input, const Var<float>& table, GraphTensors& tensors) {
    const SparseColumn& column = input.batch->sparse[sequence.column];
    const uint32_t dim = layout.sparse[sequence.column].dim;
    GraphTensor items = {.dims = {0, dim}, .values = {}, .is_whole = false};
    GraphTensor rows = {.dims = {0}, .values = {}, .is_whole = true};
    for (uint32_t r = 0; r < kRows; ++r) {
      for (uint32_t i = column.offsets[r]; i < column.offsets[r + 1]; ++i) {
        const float* row = table.view().row(input.row_of_value[sequence.column][i]);
        items.values.insert(items.values.end(), row + table.cols - dim, row + table.cols);
        rows.values.push_back(r);
      }
    }
    items.dims[0] = rows.dims[0] = static_cast<int64_t>(rows.values.size());
    tensors[ItemsInput(sequence)] = items;
    tensors[RowsInput(sequence)] = rows;
  }

  const Gemm gemm_ = Gemm::Create(GemmBackend::kEigen);
  std::set<std::string> used_;  // operators
  GraphTensors last_;
};

std::string Towers(const std::string& more = "") {
  return R"(task_towers { tower_name: "click" label_name: "click" dnn { hidden_units: 5 } )" +
         more +
         R"( } task_towers { tower_name: "like" label_name: "like" dnn { hidden_units: [5, 3] } })";
}

Job With(Job job, const std::string& text) {
  CHECK(google::protobuf::TextFormat::MergeFromString(text, &job));
  return job;
}

// Features of one width, with pairs of them.
Job PairJob(const std::string& model) {
  Job job = SampleJob(model);
  for (FeatureConfig& feature : *job.mutable_feature_config()->mutable_features()) {
    if (feature.has_embedding_dim()) {
      feature.set_embedding_dim(4);
    }
  }
  return job;
}

Job SequenceJob(const std::string& segments) {
  Job job = SampleJob(R"(model_class: "DNN" dnn_model {)" + Towers() + "}");
  FeatureConfig& tags = *job.mutable_feature_config()->mutable_features(3);
  CHECK_EQ(tags.feature_name(), "tags");
  tags.set_feature_type(FeatureConfig::SequenceFeature);
  FeatureGroup& group = *job.mutable_model_config()->mutable_feature_groups(0);
  group.clear_feature_names();
  CHECK(google::protobuf::TextFormat::MergeFromString(
      R"(feature_names: ["user", "age", "vector", "author"]
         sequence_features { group_name: "history" seq_att_map { key: "author" hist_seq: "tags" })" +
          segments + "}",
      &group));
  return job;
}

TEST_F(ModelGraphTest, SharedBottom) {
  ExpectSame(SampleJob(R"(model_class: "SharedBottom" shared_bottom {
      bottom_dnn { hidden_units: [8, 6] } )" +
                       Towers() + "}"));
}

TEST_F(ModelGraphTest, EveryActivationAndLayerNorm) {
  for (const std::string activation : {"relu", "prelu", "sigmoid", "tanh", "linear"}) {
    for (const std::string norm : {"", " use_ln: true"}) {
      ExpectSame(SampleJob(R"(model_class: "MMoE" mmoe { num_expert: 3
          expert_dnn { hidden_units: [8, 6] activation: ")" +
                           activation + "\"" + norm + "} " + Towers() + "}"));
    }
  }
}

TEST_F(ModelGraphTest, MixturesOfExperts) {
  ExpectSame(SampleJob(MmoeText()));
  ExpectSame(SampleJob(R"(model_class: "MMoE" mmoe { one_gate: true gate_bias: false
      expert_dnn { hidden_units: 6 } num_expert: 4 )" +
                       Towers() + "}"));
  ExpectSame(SampleJob(R"(model_class: "PLE" ple {
      extraction_networks { network_name: "low" expert_num_per_task: 2 share_num: 3
                            task_expert_net { hidden_units: 6 } }
      extraction_networks { network_name: "high" task_expert_net { hidden_units: [7, 5] } } )" +
                       Towers() + "}"));
}

TEST_F(ModelGraphTest, LinearModelsAndPairs) {
  Job lr = SampleJob(R"(model_class: "LR" lr {
      task_towers { tower_name: "click" label_name: "click" }
      task_towers { tower_name: "like" label_name: "like" } })");
  for (FeatureConfig& feature : *lr.mutable_feature_config()->mutable_features()) {
    if (feature.has_embedding_dim()) {
      feature.set_embedding_dim(2);
    }
  }
  ExpectSame(lr);
  ExpectSame(PairJob(R"(model_class: "FM" fm_model {
      task_towers { tower_name: "click" label_name: "click" }
      task_towers { tower_name: "like" label_name: "like" } })"));
  ExpectSame(PairJob(R"(model_class: "DeepFM" deepfm {)" + Towers() + "}"));
  for (const std::string mode : {"BI_VECTOR", "LOGIT", "KERNEL"}) {
    ExpectSame(PairJob(MmoeText() + " fm { mode: " + mode + " }"));
  }
}

TEST_F(ModelGraphTest, Funnels) {
  ExpectSame(SampleJob(R"(model_class: "ESMM" esmm { bottom_dnn { hidden_units: 6 }
      ctr_tower { tower_name: "click" label_name: "click" dnn { hidden_units: 4 } }
      cvr_tower { tower_name: "like" label_name: "like" dnn { hidden_units: 4 } } })"));
  EXPECT_EQ(last_.count("probs_cvr"), 1U);
  ExpectSame(SampleJob(R"(model_class: "Funnel" funnel {
      events { tower { tower_name: "click" label_name: "click" dnn { hidden_units: 4 } } }
      events { tower { tower_name: "watch" label_name: "like" dnn { hidden_units: 4 } }
               after: "click" }
      events { tower { tower_name: "like" label_name: "like" dnn { hidden_units: 4 } }
               after: "watch" after_not: "watch" } })"));
}

TEST_F(ModelGraphTest, ModelsOfScenes) {
  const std::string ums = R"(model_class: "UMS" ums { public_dnn { hidden_units: 8 } num_expert: 3
      expert_dnn { hidden_units: 6 } )" +
                          Towers();
  const Job base = SampleJob(ums + "}");
  ExpectSame(base);
  EXPECT_EQ(used_.count("Where"), 1U);
  ExpectSame(SampleJob(ums + " private_dnn { hidden_units: 4 } scene_tower: PER_SCENE }"));
  ExpectSame(
      SampleJob(ums + " private_dnn { hidden_units: 4 } cross_scene_scores: STOP_GRADIENT }"));
  ExpectSame(With(base, R"(model_config { scene_tasks { scene: "song" tower_names: "click" } })"));
  for (const std::string norm : {"true", "false"}) {
    ExpectSame(SampleJob(R"(model_class: "STAR" star { aux_dnn { hidden_units: 4 }
        partitioned_norm: )" +
                         norm + " " + Towers() + "}"));
  }
  ExpectSame(PepNetSampleJob(Towers("isolate: BACKBONE_STOP") + "}"));
}

TEST_F(ModelGraphTest, Triplets) {
  Job job = SampleJob(MmoeText());
  job.mutable_model_config()->clear_feature_groups();
  ExpectSame(With(job, R"(model_config {
      feature_groups { group_name: "host" feature_names: "author" }
      feature_groups { group_name: "text" feature_names: ["vector", "tags"] }
      feature_groups { group_name: "avatar" feature_names: "age" }
      feature_groups { group_name: "user" feature_names: "user" }
      triplet { host_group: "host" text_group: "text" avatar_group: "avatar" user_group: "user"
                projection_dim: 3 } })"));
}

TEST_F(ModelGraphTest, AttentionOverSequences) {
  ExpectSame(SequenceJob(""));
  EXPECT_EQ(used_.count("ScatterND"), 1U);
  ExpectSame(SequenceJob("segments { short_length: 1 long_length: 2 attention_dim: 3 }"));
  ExpectSame(SequenceJob("segments { short_length: 2 long_length: 1 attention_dim: 3 }"));
  ExpectSame(SequenceJob("segments {}"));
}

TEST_F(ModelGraphTest, OutputsAreNamedByWhatTheTaskLearns) {
  const auto job = [](const std::string& loss) {
    return With(SampleJob(R"(model_class: "DNN" dnn_model {
        task_towers { tower_name: "a" label_name: "like" loss_type: )" +
                          loss + "} }"),
                R"(data_config { request_field: "request" shuffle: false })");
  };
  ExpectSame(job("CLASSIFICATION"));
  const double logit = last_.at("logits_a").values[0];
  EXPECT_NEAR(last_.at("probs_a").values[0], 1 / (1 + std::exp(-logit)), 1e-6);
  ExpectSame(job("WEIGHTED_LOGISTIC"));
  EXPECT_NEAR(last_.at("numbers_a").values[0], std::exp(last_.at("logits_a").values[0]), 1e-6);
  EXPECT_EQ(last_.count("probs_a"), 0U);
  ExpectSame(job("L2_LOSS"));
  EXPECT_EQ(last_.at("numbers_a").values, last_.at("logits_a").values);
  ExpectSame(job("PAIRWISE"));
  EXPECT_EQ(last_.count("probs_a") + last_.count("numbers_a"), 0U);
}

TEST_F(ModelGraphTest, FakeNegativesAreCalibrated) {
  ExpectSame(SampleJob(R"(model_class: "DNN" dnn_model {
      task_towers { tower_name: "a" label_name: "like" delayed_feedback { method: FNC } } })"));
}

TEST_F(ModelGraphTest, WhatScenesShareIsThereOnce) {
  ExpectSame(SampleJob(R"(model_class: "UMS" ums { public_dnn { hidden_units: 8 } num_expert: 3
      expert_dnn { hidden_units: 6 } )" +
                       Towers() + "}"));
  // One product for the public network, three for the experts; gates and towers are of scenes.
  size_t of_features = 0;
  for (const auto& [name, tensor] : last_) {
    of_features += name.starts_with("public.0.weight") ? 1 : 0;
  }
  EXPECT_EQ(of_features, 1U);
}

}  // namespace
}  // namespace antiphon
