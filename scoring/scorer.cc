#include "scoring/scorer.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <utility>

#include "models/input_layout.h"
#include "models/model_config.h"

namespace antiphon {
namespace {

// The job without what only training and its measures ask of a row.
Job JobOfRows(Job job, Scorer::Labels labels) {
  DataConfig& data = *job.mutable_data_config();
  if (labels == Scorer::Labels::kIgnore) {
    data.clear_label_fields();
    data.clear_labels();
  }
  data.clear_sample_weight();
  data.clear_time_field();
  data.clear_request_field();
  job.clear_eval_config();
  return job;
}

}  // namespace

StatusOr<std::unique_ptr<Scorer>> Scorer::Create(const TrainedModel& model, const Gemm& gemm,
                                                 int compute_threads, Labels labels) {
  const std::vector<FeatureStatistics> statistics(model.plan().features().begin(),
                                                  model.plan().features().end());
  AP_ASSIGN_OR_RETURN(
      std::unique_ptr<BatchBuilder> builder,
      BatchBuilder::Create(
          JobOfRows(model.job(), labels), statistics,
          labels == Labels::kRead ? ModelLabels(model.job().model_config()) : LabelColumns()));
  AP_ASSIGN_OR_RETURN(std::unique_ptr<ModelRunner> runner,
                      ModelRunner::Create(model.job(), model.plan().schema(), gemm,
                                          {.compute_threads = compute_threads}));
  return std::unique_ptr<Scorer>(new Scorer(model, std::move(builder), std::move(runner), labels));
}

Scorer::Scorer(const TrainedModel& model, std::unique_ptr<BatchBuilder> builder,
               std::unique_ptr<ModelRunner> runner, Labels labels)
    : model_(&model),
      builder_(std::move(builder)),
      runner_(std::move(runner)),
      measures_(MeasureNames(model.job().model_config())),
      losses_(LossSpecs(model.job().model_config())),
      read_labels_(labels),
      label_count_(ModelLabels(model.job().model_config()).names.size()) {
  for (const InputLayout::Sparse& column : MakeInputLayout(model.job()).sparse) {
    table_of_column_.push_back(column.table);
  }
  row_of_value_.resize(table_of_column_.size());
  rows_.resize(static_cast<size_t>(model.plan().schema().tables_size()));
  TakeBlocks();
  builder_->Start(batch_);
}

bool Scorer::Use(const TrainedModel& model) {
  if (&model.plan() != &model_->plan() || &model.job() != &model_->job()) {
    return false;
  }
  model_ = &model;
  TakeBlocks();
  return true;
}

void Scorer::TakeBlocks() {
  blocks_.clear();
  for (BlockId id = 0; id < static_cast<BlockId>(model_->plan().schema().blocks_size()); ++id) {
    blocks_.push_back(model_->block(id));
  }
}

Status Scorer::Add(std::span<std::string_view> values) {
  const BadRowReason reason = builder_->AddRow(values, batch_);
  if (reason == BadRowReason::kNone) {
    return Status();
  }
  const std::optional<uint32_t> field = builder_->FindBadField(values);
  const std::string what(BadRowReasonText(reason));
  if (!field.has_value()) {
    return DataLossError(what);
  }
  constexpr size_t kMaxShown = 80;
  const std::string value(values[*field].substr(0, kMaxShown));
  return DataLossError(
      "column \"" +
      model_->job().data_config().input_fields(static_cast<int>(*field)).input_name() +
      "\": " + what + ": \"" + value + "\"");
}

StepInput Scorer::Gather() {
  for (std::vector<float>& rows : rows_) {
    rows.clear();
  }
  for (size_t column = 0; column < table_of_column_.size(); ++column) {
    GatherRows(column);
  }
  row_spans_.assign(rows_.begin(), rows_.end());
  FillContext();
  return {
      .batch = &batch_, .row_of_value = row_of_value_, .table_rows = row_spans_, .blocks = blocks_};
}

const std::vector<std::vector<float>>& Scorer::Run() {
  runner_->Score(Gather(), output_);
  for (size_t m = 0; m < output_.logits.size(); ++m) {
    for (float& value : output_.logits[m]) {
      value = Predicted(m, value);
    }
  }
  Drop();
  return output_.logits;
}

void Scorer::Drop() {
  if (read_labels_ == Labels::kIgnore) {
    batch_.labels.swap(unknown_labels_);  // the builder knows of none and would free them
  }
  builder_->Start(batch_);
}

void Scorer::GatherRows(size_t column) {
  const TableId table = table_of_column_[column];
  const size_t dim = model_->plan().schema().tables(static_cast<int>(table)).dim();
  std::vector<float>& rows = rows_[table];
  row_of_value_[column].clear();
  for (const Key key : batch_.sparse[column].keys) {
    row_of_value_[column].push_back(static_cast<uint32_t>(rows.size() / dim));
    rows.resize(rows.size() + dim);  // zeros, and so they stay for a key without a row
    model_->CopyRow(table, key, rows.data() + rows.size() - dim);
  }
}

void Scorer::FillContext() {
  if (read_labels_ == Labels::kIgnore) {
    batch_.labels.swap(unknown_labels_);
    batch_.labels.resize(label_count_);
    for (std::vector<float>& labels : batch_.labels) {
      labels.assign(batch_.rows, kUnknownLabel);
    }
  }
  // Every row is a request of its own: rows are not compared.
  batch_.request.resize(batch_.rows);
  std::iota(batch_.request.begin(), batch_.request.end(), uint64_t{0});
}

float Scorer::Predicted(size_t measure, float output) const {
  const bool is_task = measure < losses_.size();
  if (is_task && losses_[measure].is_regression()) {
    return static_cast<float>(PredictedNumber(losses_[measure], output));
  }
  if (is_task && losses_[measure].is_ranking()) {
    return output;
  }
  return 1 / (1 + std::exp(-output));
}

}  // namespace antiphon
