#include "models/input_layout.h"

#include <algorithm>
#include <string>
#include <unordered_map>

#include "common/data/feature_columns.h"
#include "models/model_config.h"
#include "models/tape/column_ops.h"

namespace antiphon {
namespace {

Pooling PoolingOf(const FeatureConfig& feature) {
  return feature.combiner() == FeatureConfig::SUM ? Pooling::kSum : Pooling::kMean;
}

// LR starts from nothing unless the job asks for something else than the usual noise.
bool IsUsualNoise(const Initializer& initializer) {
  const NormalInitializer usual;
  return initializer.initializer_case() == Initializer::INITIALIZER_NOT_SET ||
         (initializer.has_normal_initializer() &&
          initializer.normal_initializer().mean() == usual.mean() &&
          initializer.normal_initializer().stddev() == usual.stddev());
}

// Builds the layout feature by feature.
class LayoutBuilder {
 public:
  explicit LayoutBuilder(const Job& job)
      : job_(job), columns_(OrderFeatureColumns(job.feature_config())) {
    parts_ = RowPartsOf(job.model_config());
    layout_.shape.linear = parts_.summed ? parts_.linear : 0;
    AddTables();
    layout_.shape.width = layout_.shape.linear;
  }

  InputLayout Build() {
    for (const FeatureGroup& group : job_.model_config().feature_groups()) {
      const uint32_t begin = layout_.shape.width;
      for (const std::string& name : group.feature_names()) {
        Place(FeatureIndex(name));
      }
      for (const SequenceFeatures& sequences : group.sequence_features()) {
        PlaceSequences(sequences);
      }
      layout_.shape.groups.push_back({group.group_name(), begin, layout_.shape.width - begin});
    }
    AddScenes();
    FindTargets();
    return std::move(layout_);
  }

 private:
  const FeatureConfig& Feature(uint32_t index) const {
    return job_.feature_config().features(static_cast<int>(index));
  }

  uint32_t FeatureIndex(const std::string& name) const {
    const auto& features = job_.feature_config().features();
    const auto found = std::find_if(
        features.begin(), features.end(),
        [&name](const FeatureConfig& feature) { return FeatureName(feature) == name; });
    CHECK(found != features.end()) << name;
    return static_cast<uint32_t>(found - features.begin());
  }

  void AddScenes() {
    for (const std::string& name : job_.data_config().scenes()) {
      InputScene& scene = layout_.shape.scenes.emplace_back();
      scene.name = name;
      for (const SceneTasks& line : job_.model_config().scene_tasks()) {
        if (line.scene() == name) {
          scene.tasks.assign(line.tower_names().begin(), line.tower_names().end());
          scene.private_group = Group(line.private_group());
        }
      }
    }
  }

  InputGroup Group(const std::string& name) const {
    for (const InputGroup& group : layout_.shape.groups) {
      if (!name.empty() && group.name == name) {
        return group;
      }
    }
    return {};
  }

  void AddTables() {
    std::unordered_map<std::string, TableId> ids;
    for (const uint32_t index : columns_.sparse) {
      const FeatureConfig& feature = Feature(index);
      const auto [entry, is_new] =
          ids.emplace(TableName(feature), static_cast<TableId>(layout_.tables.size()));
      if (is_new) {
        AddTable(feature);
      }
      const bool is_sequence = feature.feature_type() == FeatureConfig::SequenceFeature;
      layout_.sparse.push_back({.table = entry->second,
                                .linear = parts_.linear,
                                .linear_begin = parts_.summed ? 0 : layout_.shape.linear,
                                .begin = 0,
                                .dim = layout_.tables[entry->second].dim() - parts_.linear,
                                .pooling = PoolingOf(feature),
                                .is_sequence = is_sequence});
      if (!parts_.summed && !is_sequence) {
        layout_.shape.linear += parts_.linear;
      }
    }
  }

  void AddTable(const FeatureConfig& feature) {
    TableSpec& table = layout_.tables.emplace_back();
    table.set_name(TableName(feature));
    table.set_dim(parts_.linear + (parts_.embedding ? feature.embedding_dim() : 0));
    if (feature.has_row_policy()) {
      *table.mutable_row_policy() = feature.row_policy();
    }
    const OptimizerConfig& optimizer = feature.has_optimizer_config()
                                           ? feature.optimizer_config()
                                           : job_.train_config().optimizer_config(0);
    Initializer initializer = feature.initializer();
    if (!parts_.embedding && IsUsualNoise(initializer)) {
      initializer.mutable_constant_initializer();
    } else if (!feature.has_initializer()) {
      initializer.mutable_normal_initializer();
    }
    if (parts_.linear == 0 || !parts_.embedding) {
      *table.mutable_optimizer() = optimizer;
      *table.mutable_initializer() = initializer;
      return;
    }
    RowSegment& linear = *table.add_segments();
    linear.set_dim(parts_.linear);
    *linear.mutable_optimizer() =
        parts_.linear_optimizer != nullptr ? *parts_.linear_optimizer : optimizer;
    linear.mutable_initializer()->mutable_constant_initializer();
    RowSegment& embedding = *table.add_segments();
    embedding.set_dim(feature.embedding_dim());
    *embedding.mutable_optimizer() = optimizer;
    *embedding.mutable_initializer() = initializer;
  }

  void Place(uint32_t index) {
    const auto column = std::find(columns_.sparse.begin(), columns_.sparse.end(), index);
    if (column != columns_.sparse.end()) {
      PlaceSparse(layout_.sparse[static_cast<size_t>(column - columns_.sparse.begin())]);
      return;
    }
    const auto number = std::find(columns_.dense.begin(), columns_.dense.end(), index);
    PlaceDense(columns_.dense_offset[static_cast<size_t>(number - columns_.dense.begin())],
               Feature(index).raw_input_dim());
  }

  void PlaceSparse(InputLayout::Sparse& sparse) {
    if (sparse.dim > 0) {
      sparse.begin = layout_.shape.width;
      layout_.shape.fields.push_back({sparse.begin, sparse.dim});
      layout_.shape.width += sparse.dim;
    }
  }

  uint32_t SparseColumnOf(const std::string& name) const {
    const auto column =
        std::find(columns_.sparse.begin(), columns_.sparse.end(), FeatureIndex(name));
    CHECK(column != columns_.sparse.end()) << name;
    return static_cast<uint32_t>(column - columns_.sparse.begin());
  }

  void PlaceSequences(const SequenceFeatures& config) {
    for (const SeqAttMap& pair : config.seq_att_map()) {
      InputLayout::Sequence& sequence = layout_.sequences.emplace_back();
      sequence.name = config.group_name() + "." + pair.hist_seq();
      sequence.config = config;
      sequence.column = SparseColumnOf(pair.hist_seq());
      sequence.table = layout_.sparse[sequence.column].table;
      sequence.begin = layout_.shape.width;
      layout_.shape.width += layout_.sparse[sequence.column].dim;
      targets_.push_back(SparseColumnOf(pair.key()));
    }
  }

  // A target may stand behind the sequences that are compared with it.
  void FindTargets() {
    for (size_t i = 0; i < targets_.size(); ++i) {
      layout_.sequences[i].target_begin = layout_.sparse[targets_[i]].begin;
    }
  }

  void PlaceDense(uint32_t batch_begin, uint32_t width) {
    std::vector<InputLayout::Dense>& runs = layout_.dense;
    const uint32_t begin = layout_.shape.width;
    layout_.shape.width += width;
    if (!runs.empty() && runs.back().batch_begin + runs.back().width == batch_begin &&
        runs.back().begin + runs.back().width == begin) {
      runs.back().width += width;
      return;
    }
    runs.push_back({batch_begin, begin, width});
  }

  const Job& job_;
  FeatureColumns columns_;
  RowParts parts_;
  InputLayout layout_;
  std::vector<uint32_t> targets_;  // by sequence: the sparse column of its target
};

}  // namespace

InputLayout MakeInputLayout(const Job& job) {
  return LayoutBuilder(job).Build();
}

Var<float> GatherInput(Tape<float>& tape, const InputLayout& layout, const StepInput& step,
                       std::span<const Var<float>> tables, std::span<const uint32_t> rows) {
  const Batch& batch = *step.batch;
  Gradients depends = layout.sequences.empty() ? kNoGradients : kParameters;  // the attention's
  for (const Var<float>& table : tables) {
    depends = depends | table.depends;
  }
  Var<float> input = tape.New(rows.size(), layout.shape.width, depends);
  std::fill_n(input.value, input.size(), 0.0F);
  for (const InputLayout::Dense& dense : layout.dense) {
    for (size_t r = 0; r < rows.size(); ++r) {
      const size_t from = size_t{rows[r]} * batch.dense_width + dense.batch_begin;
      std::copy_n(&batch.dense[from], dense.width, input.value + r * input.stride + dense.begin);
    }
  }
  for (size_t i = 0; i < layout.sparse.size(); ++i) {
    const InputLayout::Sparse& sparse = layout.sparse[i];
    if (sparse.is_sequence) {
      continue;
    }
    const SparseColumn& column = batch.sparse[i];
    const PoolingValues values = {
        .samples = rows,
        .offsets = column.offsets.data(),
        .rows = step.row_of_value[i].data(),
        .weights = column.weights.empty() ? nullptr : column.weights.data()};
    const Var<float>& table = tables[sparse.table];
    if (sparse.linear > 0) {
      PoolRows(tape, SliceColumns(table, 0, sparse.linear), values, sparse.pooling,
               SliceColumns(input, sparse.linear_begin, sparse.linear));
    }
    if (sparse.dim > 0) {
      PoolRows(tape, SliceColumns(table, sparse.linear, sparse.dim), values, sparse.pooling,
               SliceColumns(input, sparse.begin, sparse.dim));
    }
  }
  return input;
}

}  // namespace antiphon
