#include "common/data/batch_builder.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "common/base/hash.h"
#include "common/base/text.h"
#include "common/data/number_text.h"

namespace antiphon {
namespace {

// Times below this are seconds since 1970 (until the year 5138), the others milliseconds.
constexpr int64_t kFirstMilliseconds = 100'000'000'000;

std::vector<std::string> FieldNames(const DataConfig& data) {
  std::vector<std::string> names;
  for (const InputField& field : data.input_fields()) {
    names.push_back(field.input_name());
  }
  return names;
}

bool IsInRange(double label, LabelRange range) {
  switch (range) {
    case LabelRange::kZeroOrOne:
      return label == 0 || label == 1;
    case LabelRange::kNotNegative:
      return label >= 0;
    case LabelRange::kAnyNumber:
      return true;
  }
  return false;
}

// A number in `range` that a float can hold, or unknown where nothing is written.
BadRowReason ReadLabel(std::string_view text, LabelRange range, float& label) {
  if (text.size() == 1 && (text[0] == '0' || text[0] == '1')) {
    label = text[0] == '1' ? 1.0F : 0.0F;
    return BadRowReason::kNone;
  }
  if (Trim(text).empty()) {
    label = kUnknownLabel;
    return BadRowReason::kNone;
  }
  double number = 0;
  if (ReadNumber(text, number) != BadRowReason::kNone || !IsInRange(number, range) ||
      std::abs(number) >= std::numeric_limits<float>::max()) {
    return range == LabelRange::kZeroOrOne ? BadRowReason::kBadLabel
                                           : BadRowReason::kLabelOutOfRange;
  }
  label = static_cast<float>(number);
  return BadRowReason::kNone;
}

FieldList ListOf(std::span<const FieldList> lists, uint32_t field) {
  return lists.empty() ? FieldList() : lists[field];
}

}  // namespace

StatusOr<std::unique_ptr<BatchBuilder>> BatchBuilder::Create(
    const Job& job, std::span<const FeatureStatistics> statistics, const LabelColumns& labels) {
  std::unique_ptr<BatchBuilder> builder(new BatchBuilder());
  builder->field_count_ = static_cast<uint32_t>(job.data_config().input_fields_size());
  builder->field_uses_.resize(builder->field_count_);
  AP_RETURN_IF_ERROR(builder->AddFeatures(job, statistics));
  AP_RETURN_IF_ERROR(builder->AddLabels(job.data_config(), labels));
  builder->AddContext(job);
  std::vector<uint32_t>& used = builder->used_fields_;
  std::sort(used.begin(), used.end());
  used.erase(std::unique(used.begin(), used.end()), used.end());
  builder->AddTypes(job);
  return builder;
}

FieldUse& BatchBuilder::Use(uint32_t field) {
  used_fields_.push_back(field);
  return field_uses_[field];
}

Status BatchBuilder::AddFeatures(const Job& job, std::span<const FeatureStatistics> statistics) {
  const FeatureConfigs& config = job.feature_config();
  if (statistics.size() != static_cast<size_t>(config.features_size())) {
    return InvalidArgumentError("the plan has statistics of " + std::to_string(statistics.size()) +
                                " features, the job has " + std::to_string(config.features_size()));
  }
  for (int i = 0; i < config.features_size(); ++i) {
    const FeatureConfig& feature = config.features(i);
    const int field = FindInputField(job.data_config(), feature.input_names(0));
    if (field < 0) {
      return InvalidArgumentError("feature \"" + FeatureName(feature) + "\" reads input field \"" +
                                  feature.input_names(0) + "\", which the job does not have");
    }
    AP_ASSIGN_OR_RETURN(FeatureTransform transform,
                        FeatureTransform::Create(feature, statistics[static_cast<size_t>(i)]));
    dense_width_ += IsCategorical(feature) ? 0 : transform.width();
    std::vector<Column>& columns = IsCategorical(feature) ? sparse_ : dense_;
    columns.push_back({static_cast<uint32_t>(field), std::move(transform)});
    FieldUse& use = Use(static_cast<uint32_t>(field));
    (IsCategorical(feature) ? use.as_texts : use.as_numbers) = true;
  }
  return Status();
}

Status BatchBuilder::AddLabels(const DataConfig& data, const LabelColumns& labels) {
  CHECK(labels.ranges.empty() || labels.ranges.size() == labels.names.size());
  for (size_t i = 0; i < labels.names.size(); ++i) {
    const std::string& name = labels.names[i];
    const bool is_plain = std::find(data.label_fields().begin(), data.label_fields().end(), name) !=
                          data.label_fields().end();
    const int field = is_plain ? FindInputField(data, name) : -1;
    if (field < 0) {
      AP_RETURN_IF_ERROR(AddComputedLabel(data, name));
      continue;
    }
    LabelSource source;
    source.field = static_cast<uint32_t>(field);
    source.range = labels.ranges.empty() ? LabelRange::kZeroOrOne : labels.ranges[i];
    labels_.push_back(std::move(source));
    UseAsText(static_cast<uint32_t>(field));
  }
  implied_ = labels.implied;
  for (const ImpliedLabel& implied : implied_) {
    CHECK_LT(std::max(implied.effect, implied.cause), labels_.size());
  }
  return Status();
}

Status BatchBuilder::AddComputedLabel(const DataConfig& data, const std::string& name) {
  for (const Label& label : data.labels()) {
    if (label.label_name() != name) {
      continue;
    }
    const std::vector<std::string> fields = FieldNames(data);
    LabelSource source;
    AP_ASSIGN_OR_RETURN(source.expression, LabelExpression::Parse(label.expression(), fields));
    for (const uint32_t field : source.expression->Fields()) {
      UseAsText(field);
    }
    if (label.has_known_if()) {
      AP_ASSIGN_OR_RETURN(source.known_if, LabelExpression::Parse(label.known_if(), fields));
      for (const uint32_t field : source.known_if->Fields()) {
        UseAsText(field);
      }
    }
    labels_.push_back(std::move(source));
    return Status();
  }
  return InvalidArgumentError("no label \"" + name + "\" among label_fields and labels");
}

void BatchBuilder::AddContext(const Job& job) {
  const DataConfig& data = job.data_config();
  const auto find = [&](const std::string& name) -> std::optional<uint32_t> {
    const int field = FindInputField(data, name);
    if (name.empty() || field < 0) {
      return std::nullopt;
    }
    UseAsText(static_cast<uint32_t>(field));
    return static_cast<uint32_t>(field);
  };
  weight_field_ = find(data.sample_weight());
  scene_field_ = find(data.scene_field());
  time_field_ = find(data.time_field());
  request_field_ = find(data.request_field());
  for (const Metric& metric : job.eval_config().metrics_set()) {
    user_field_ = find(metric.gauc().uid_field());
  }
  keeps_unknown_scenes_ = data.unknown_scene() == DataConfig::SHARED_ONLY;
  for (const std::string& scene : data.scenes()) {
    scenes_.Add(scene);
  }
}

// An empty number without a default is a bad row, but an empty label is an unknown one.
void BatchBuilder::AddTypes(const Job& job) {
  std::set<uint32_t> of_labels;
  for (const LabelSource& label : labels_) {
    if (!label.expression.has_value()) {
      of_labels.insert(label.field);
      continue;
    }
    const std::vector<uint32_t> fields = label.expression->Fields();
    of_labels.insert(fields.begin(), fields.end());
    if (label.known_if.has_value()) {
      const std::vector<uint32_t> more = label.known_if->Fields();
      of_labels.insert(more.begin(), more.end());
    }
  }
  for (const uint32_t field : used_fields_) {
    const InputField& input = job.data_config().input_fields(static_cast<int>(field));
    if (input.has_default_val()) {
      defaults_.push_back({field, input.default_val()});
    }
    const bool is_checked_anyway =
        input.input_type() == InputField::DOUBLE &&
        std::any_of(dense_.begin(), dense_.end(),
                    [&](const Column& column) { return column.field == field; });
    if (input.input_type() != InputField::STRING && !of_labels.contains(field) &&
        !is_checked_anyway) {
      typed_.push_back({field, input.input_type() == InputField::INT64});
    }
  }
}

void BatchBuilder::Start(Batch& batch) const {
  batch.sparse.resize(sparse_.size());
  batch.labels.resize(labels_.size());
  batch.Clear();
  batch.dense_width = dense_width_;
}

BadRowReason BatchBuilder::AddRow(std::span<std::string_view> values,
                                  std::span<const FieldList> lists, Batch& batch) const {
  for (const DefaultValue& value : defaults_) {
    if (values[value.field].empty()) {
      values[value.field] = value.text;
    }
  }
  const BadRowReason reason = AppendAll(values, lists, batch);
  if (reason != BadRowReason::kNone) {
    TakeBack(batch);
    return reason;
  }
  for (SparseColumn& column : batch.sparse) {
    column.offsets.push_back(static_cast<uint32_t>(column.keys.size()));
  }
  ++batch.rows;
  return BadRowReason::kNone;
}

BadRowReason BatchBuilder::AppendAll(std::span<const std::string_view> values,
                                     std::span<const FieldList> lists, Batch& batch) const {
  for (const auto step : {&BatchBuilder::AppendLabels, &BatchBuilder::AppendContext}) {
    const BadRowReason reason = (this->*step)(values, batch);
    if (reason != BadRowReason::kNone) {
      return reason;
    }
  }
  const BadRowReason reason = AppendFeatures(values, lists, batch);
  return reason == BadRowReason::kNone ? CheckTypes(values, lists) : reason;
}

BadRowReason BatchBuilder::CheckType(const TypedField& typed, std::string_view value) {
  int64_t whole = 0;
  double number = 0;
  return typed.is_whole ? ReadWhole(value, whole) : ReadNumber(value, number);
}

BadRowReason BatchBuilder::CheckTypes(std::span<const std::string_view> values,
                                      std::span<const FieldList> lists) const {
  for (const TypedField& typed : typed_) {
    if (ListOf(lists, typed.field).numbers.size() == 1) {
      continue;
    }
    const BadRowReason reason = CheckType(typed, values[typed.field]);
    if (reason != BadRowReason::kNone) {
      return reason;
    }
  }
  return BadRowReason::kNone;
}

BadRowReason BatchBuilder::ComputeLabel(const LabelSource& source,
                                        std::span<const std::string_view> values, float& label) {
  const Truth known =
      source.known_if.has_value() ? source.known_if->Evaluate(values) : Truth::kTrue;
  const Truth truth = source.expression->Evaluate(values);
  if (known == Truth::kBadNumber || truth == Truth::kBadNumber) {
    return BadRowReason::kBadNumber;
  }
  if (known == Truth::kTrue && truth != Truth::kUnknown) {
    label = truth == Truth::kTrue ? 1.0F : 0.0F;
  }
  return BadRowReason::kNone;
}

BadRowReason BatchBuilder::AppendLabels(std::span<const std::string_view> values,
                                        Batch& batch) const {
  for (size_t i = 0; i < labels_.size(); ++i) {
    const LabelSource& source = labels_[i];
    float label = kUnknownLabel;
    const BadRowReason reason = source.expression.has_value()
                                    ? ComputeLabel(source, values, label)
                                    : ReadLabel(values[source.field], source.range, label);
    if (reason != BadRowReason::kNone) {
      return reason;
    }
    batch.labels[i].push_back(label);
  }
  for (const ImpliedLabel& implied : implied_) {
    if (batch.labels[implied.effect].back() == 1.0F && batch.labels[implied.cause].back() == 0.0F) {
      return BadRowReason::kImpossibleLabels;
    }
  }
  return BadRowReason::kNone;
}

BadRowReason BatchBuilder::AppendContext(std::span<const std::string_view> values,
                                         Batch& batch) const {
  if (weight_field_.has_value()) {
    double weight = 0;
    const BadRowReason reason = ReadNumber(values[*weight_field_], weight);
    if (reason != BadRowReason::kNone) {
      return reason;
    }
    if (weight < 0) {
      return BadRowReason::kBadWeight;
    }
    batch.sample_weight.push_back(static_cast<float>(weight));
  }
  if (scene_field_.has_value()) {
    const uint32_t scene = scenes_.Find(values[*scene_field_]);
    if (scene == Vocabulary::kNotFound && !keeps_unknown_scenes_) {
      return BadRowReason::kUnknownScene;
    }
    batch.scene.push_back(scene == Vocabulary::kNotFound ? kUnlistedScene : scene);
  }
  if (time_field_.has_value()) {
    int64_t time = 0;
    if (ReadWhole(values[*time_field_], time) != BadRowReason::kNone || time < 0) {
      return BadRowReason::kBadNumber;
    }
    batch.event_time_ms.push_back(time < kFirstMilliseconds ? time * 1000 : time);
  }
  if (user_field_.has_value()) {
    batch.user.push_back(HashBytes(values[*user_field_]));
  }
  if (request_field_.has_value()) {
    if (values[*request_field_].empty()) {
      return BadRowReason::kNoRequest;
    }
    batch.request.push_back(RequestOf(values));
  }
  return BadRowReason::kNone;
}

uint64_t BatchBuilder::RequestOf(std::span<const std::string_view> values) const {
  return HashBytes(values[*request_field_]);
}

BadRowReason BatchBuilder::AppendFeatures(std::span<const std::string_view> values,
                                          std::span<const FieldList> lists, Batch& batch) const {
  size_t at = batch.dense.size();
  batch.dense.resize(at + dense_width_);
  for (const Column& column : dense_) {
    const FieldList list = ListOf(lists, column.field);
    float* const out = batch.dense.data() + at;
    const BadRowReason reason = list.numbers.empty()
                                    ? column.transform.WriteNumbers(values[column.field], out)
                                    : column.transform.WriteNumbers(list.numbers, out);
    if (reason != BadRowReason::kNone) {
      return reason;
    }
    at += column.transform.width();
  }
  for (size_t i = 0; i < sparse_.size(); ++i) {
    const Column& column = sparse_[i];
    const FieldList list = ListOf(lists, column.field);
    const BadRowReason reason =
        list.texts.empty() ? column.transform.AppendKeys(values[column.field], batch.sparse[i])
                           : column.transform.AppendKeys(list.texts, batch.sparse[i]);
    if (reason != BadRowReason::kNone) {
      return reason;
    }
  }
  return BadRowReason::kNone;
}

std::optional<uint32_t> BatchBuilder::FindBadField(std::span<const std::string_view> values) const {
  std::vector<float> numbers(dense_width_);
  for (const Column& column : dense_) {
    if (column.transform.WriteNumbers(values[column.field], numbers.data()) !=
        BadRowReason::kNone) {
      return column.field;
    }
  }
  SparseColumn keys;
  for (const Column& column : sparse_) {
    if (column.transform.AppendKeys(values[column.field], keys) != BadRowReason::kNone) {
      return column.field;
    }
  }
  for (const TypedField& typed : typed_) {
    if (CheckType(typed, values[typed.field]) != BadRowReason::kNone) {
      return typed.field;
    }
  }
  const bool knows_scene = !scene_field_.has_value() || keeps_unknown_scenes_ ||
                           scenes_.Find(values[*scene_field_]) != Vocabulary::kNotFound;
  return knows_scene ? std::nullopt : scene_field_;
}

void BatchBuilder::TakeBack(Batch& batch) const {
  const size_t rows = batch.rows;
  for (std::vector<float>& label : batch.labels) {
    label.resize(rows);
  }
  batch.sample_weight.resize(weight_field_.has_value() ? rows : 0);
  batch.scene.resize(scene_field_.has_value() ? rows : 0);
  batch.event_time_ms.resize(time_field_.has_value() ? rows : 0);
  batch.user.resize(user_field_.has_value() ? rows : 0);
  batch.request.resize(request_field_.has_value() ? rows : 0);
  batch.dense.resize(rows * dense_width_);
  for (SparseColumn& column : batch.sparse) {
    column.keys.resize(column.offsets.back());
    column.weights.resize(std::min<size_t>(column.weights.size(), column.offsets.back()));
  }
}

}  // namespace antiphon
