// A small job and batches for it: three categorical features (two share a table, one has several
// values), two numeric ones, two tasks, two scenes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <google/protobuf/text_format.h>

#include "common/base/logging.h"
#include "common/base/rng.h"
#include "common/data/batch.h"
#include "common/optim/initializer.h"
#include "models/step.h"
#include "proto/job.pb.h"
#include "proto/parameters.pb.h"

namespace antiphon {

// A step's input with everything that it points to. Labels are known with probability `known`.
class SampleStep {
 public:
  SampleStep(const ParameterSchema& schema, uint32_t rows, uint64_t seed, double known = 1);

  // For changes before use; call Input() again after them.
  Batch& batch() { return batch_; }
  std::vector<std::vector<float>>& tables() { return tables_; }
  std::vector<std::vector<float>>& blocks() { return blocks_; }

  const StepInput& Input();

 private:
  void FillBatch(uint32_t rows, double known, Rng& rng);

  Batch batch_;
  std::vector<std::vector<uint32_t>> row_of_value_;
  std::vector<std::vector<float>> tables_;
  std::vector<std::vector<float>> blocks_;
  std::vector<std::span<const float>> table_spans_;
  std::vector<std::span<const float>> block_spans_;
  StepInput input_;
};

inline constexpr char kSampleJobText[] = R"(
  seed: 3
  train_config {
    optimizer_config { rowwise_adagrad_optimizer {} }
    optimizer_config { adam_optimizer {} }
  }
  data_config {
    label_fields: "click"
    label_fields: "like"
    scene_field: "scene"
    scenes: "home"
    scenes: "song"
  }
  feature_config {
    features { feature_name: "user" input_names: "user" embedding_dim: 4 }
    features { feature_name: "age" input_names: "age" feature_type: RawFeature }
    features { feature_name: "author" input_names: "author" embedding_name: "item"
               embedding_dim: 3 }
    features { feature_name: "tags" input_names: "tags" feature_type: TagFeature
               embedding_name: "item" embedding_dim: 3 }
    features { feature_name: "vector" input_names: "vector" feature_type: RawFeature
               raw_input_dim: 2 }
  }
  model_config {
    feature_groups { group_name: "all" feature_names: ["tags", "user", "age", "vector", "author"] }
  }
)";

// The job with this text in its model_config, whose feature group is there already.
inline Job SampleJob(const std::string& model_config) {
  Job job;
  CHECK(google::protobuf::TextFormat::ParseFromString(kSampleJobText, &job));
  CHECK(google::protobuf::TextFormat::MergeFromString("model_config {" + model_config + "}", &job));
  return job;
}

// PEPNet with these towers: the author makes the gates of the input, the user those of the layers.
inline Job PepNetSampleJob(const std::string& towers) {
  Job job = SampleJob("model_class: \"PEPNet\"");
  job.mutable_model_config()->clear_feature_groups();
  CHECK(google::protobuf::TextFormat::MergeFromString(R"(model_config {
      feature_groups { group_name: "all" feature_names: ["tags", "age", "vector"] }
      feature_groups { group_name: "domain" feature_names: "author" }
      feature_groups { group_name: "prior" feature_names: "user" }
      pepnet { domain_group: "domain" prior_group: "prior" gate_hidden_units: 3 )" +
                                                          towers + "}",
                                                      &job));
  return job;
}

// MMoE with two tasks, "click" and "like".
inline std::string MmoeText() {
  return R"(model_class: "MMoE" mmoe {
              expert_dnn { hidden_units: [8, 6] } num_expert: 3
              task_towers { tower_name: "click" label_name: "click" dnn { hidden_units: 5 } }
              task_towers { tower_name: "like" label_name: "like" dnn { hidden_units: 5 }
                            weight: 0.5 } })";
}

inline SampleStep::SampleStep(const ParameterSchema& schema, uint32_t rows, uint64_t seed,
                              double known) {
  Rng rng(seed);
  constexpr uint32_t kTableRows = 7;
  for (const TableSpec& table : schema.tables()) {
    std::vector<float>& values = tables_.emplace_back(size_t{kTableRows} * table.dim());
    for (float& x : values)
      x = static_cast<float>(rng.Normal());
  }
  for (int i = 0; i < schema.blocks_size(); ++i) {
    const BlockSpec& block = schema.blocks(i);
    std::vector<float>& values = blocks_.emplace_back(size_t{block.rows()} * block.cols());
    StatusOr<InitialValues> initial = InitialValues::Create(block.initializer());
    CHECK(initial.ok()) << initial.status();
    initial->Fill(BlockStream(seed, static_cast<BlockId>(i)), 0, values);
  }
  FillBatch(rows, known, rng);
}

inline void SampleStep::FillBatch(uint32_t rows, double known, Rng& rng) {
  constexpr uint64_t kTableRows = 7;
  batch_.rows = rows;
  batch_.end = rows;
  batch_.sparse.resize(3);  // user, author, tags
  row_of_value_.resize(3);
  for (size_t column = 0; column < 3; ++column) {
    batch_.sparse[column].offsets = {0};
    for (uint32_t r = 0; r < rows; ++r) {
      const uint64_t values = column == 2 ? rng.Below(4) : 1;
      for (uint64_t i = 0; i < values; ++i) {
        row_of_value_[column].push_back(static_cast<uint32_t>(rng.Below(kTableRows)));
      }
      batch_.sparse[column].offsets.push_back(static_cast<uint32_t>(row_of_value_[column].size()));
    }
  }
  batch_.dense_width = 3;
  batch_.labels.resize(2);
  for (uint32_t r = 0; r < rows; ++r) {
    for (int i = 0; i < 3; ++i)
      batch_.dense.push_back(static_cast<float>(rng.Uniform()));
    for (std::vector<float>& label : batch_.labels) {
      const float value = rng.Chance(0.4) ? 1.0F : 0.0F;
      label.push_back(rng.Chance(known) ? value : kUnknownLabel);
    }
    batch_.scene.push_back(static_cast<uint32_t>(rng.Below(2)));
  }
}

inline const StepInput& SampleStep::Input() {
  table_spans_.assign(tables_.begin(), tables_.end());
  block_spans_.assign(blocks_.begin(), blocks_.end());
  input_ = {.batch = &batch_,
            .row_of_value = row_of_value_,
            .table_rows = table_spans_,
            .blocks = block_spans_};
  return input_;
}

}  // namespace antiphon
