#include "bench/model_workload.h"

#include <cmath>
#include <string>
#include <unordered_map>

#include "common/optim/initializer.h"

namespace antiphon {
namespace {

constexpr uint32_t kFields = 26;
constexpr uint32_t kDim = 16;
constexpr uint32_t kNumbers = 13;
constexpr uint64_t kTableRows = 1'000'000;

// Blocks of a tower end so; there is one a task.
constexpr const char* kTowerEnd = ".logit.bias";

}  // namespace

Job ReferenceJob(uint32_t tasks) {
  Job job;
  job.mutable_train_config()->add_optimizer_config()->mutable_rowwise_adagrad_optimizer();
  job.mutable_train_config()->add_optimizer_config()->mutable_adam_optimizer();
  ModelConfig& model = *job.mutable_model_config();
  model.set_model_class("MMoE");
  FeatureGroup& group = *model.add_feature_groups();
  group.set_group_name("all");
  for (uint32_t i = 0; i < kFields + kNumbers; ++i) {
    FeatureConfig& feature = *job.mutable_feature_config()->add_features();
    feature.set_feature_name("f" + std::to_string(i));
    group.add_feature_names(feature.feature_name());
    if (i < kFields) {
      feature.set_embedding_name("table");
      feature.set_embedding_dim(kDim);
    } else {
      feature.set_feature_type(FeatureConfig::RawFeature);
    }
  }
  MMoE& mmoe = *model.mutable_mmoe();
  mmoe.set_num_expert(8);
  mmoe.mutable_expert_dnn()->add_hidden_units(256);
  mmoe.mutable_expert_dnn()->add_hidden_units(128);
  for (uint32_t k = 0; k < tasks; ++k) {
    const std::string name = "task" + std::to_string(k);
    job.mutable_data_config()->add_label_fields(name);
    TaskTower& tower = *mmoe.add_task_towers();
    tower.set_tower_name(name);
    tower.set_label_name(name);
    tower.mutable_dnn()->add_hidden_units(64);
    tower.mutable_dnn()->add_hidden_units(32);
  }
  return job;
}

Workload::Workload(const ParameterSchema& schema, uint32_t batch_rows) {
  Rng rng(batch_rows);
  batch_.rows = batch_rows;
  FillRows(batch_rows, rng);
  batch_.dense_width = kNumbers;
  for (uint32_t i = 0; i < batch_rows * kNumbers; ++i) {
    batch_.dense.push_back(static_cast<float>(rng.Uniform()));
  }
  size_t tasks = 0;
  for (const BlockSpec& block : schema.blocks()) {
    tasks += block.name().ends_with(kTowerEnd) ? 1 : 0;
  }
  FillLabels(tasks, rng);
  FillBlocks(schema);
  table_spans_ = {rows_};
  block_spans_.assign(blocks_.begin(), blocks_.end());
  input_ = {.batch = &batch_,
            .row_of_value = row_of_value_,
            .table_rows = table_spans_,
            .blocks = block_spans_};
}

void Workload::FillRows(uint32_t batch_rows, Rng& rng) {
  constexpr double kExponent = 1.05;
  const double span = std::pow(static_cast<double>(kTableRows), 1 - kExponent) - 1;
  std::unordered_map<uint64_t, uint32_t> index;
  batch_.sparse.resize(kFields);
  row_of_value_.resize(kFields);
  for (uint32_t f = 0; f < kFields; ++f) {
    for (uint32_t r = 0; r < batch_rows; ++r) {
      const double rank = std::pow(span * rng.Uniform() + 1, 1 / (1 - kExponent));
      const uint64_t key =
          (static_cast<uint64_t>(rank) * 2654435761U + uint64_t{f} * 40503) % kTableRows;
      const auto entry = index.emplace(key, static_cast<uint32_t>(index.size())).first;
      batch_.sparse[f].offsets.push_back(r);
      row_of_value_[f].push_back(entry->second);
    }
    batch_.sparse[f].offsets.push_back(batch_rows);
  }
  rows_.resize(index.size() * kDim);
  for (float& x : rows_) {
    x = static_cast<float>(rng.Normal() * 0.1);
  }
}

void Workload::FillLabels(size_t tasks, Rng& rng) {
  batch_.labels.resize(tasks);
  for (std::vector<float>& labels : batch_.labels) {
    for (uint32_t r = 0; r < batch_.rows; ++r) {
      labels.push_back(rng.Chance(0.2) ? 1.0F : 0.0F);
    }
  }
}

void Workload::FillBlocks(const ParameterSchema& schema) {
  for (int i = 0; i < schema.blocks_size(); ++i) {
    const BlockSpec& spec = schema.blocks(i);
    std::vector<float>& block = blocks_.emplace_back(size_t{spec.rows()} * spec.cols());
    InitialValues::Create(spec.initializer())
        .value()
        .Fill(BlockStream(1, static_cast<BlockId>(i)), 0, block);
  }
}

}  // namespace antiphon
