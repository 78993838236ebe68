// BatchBuilder: raw rows in, a columnar Batch out.
//
// Owned by one thread. Reuses the memory of the batch, so that a steady stream of rows allocates
// nothing. Column order: see FeatureColumns for sparse and dense; labels stand in the order that
// the caller gives their names.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "common/data/bad_row_reason.h"
#include "common/data/batch.h"
#include "common/data/feature_columns.h"
#include "common/data/feature_transform.h"
#include "common/data/field_list.h"
#include "common/data/label_expression.h"
#include "proto/job.pb.h"
#include "proto/plan.pb.h"

namespace antiphon {

// Label `effect` cannot be 1 where label `cause` is 0, such as a conversion without a click. Both
// are positions in LabelColumns::names.
struct ImpliedLabel {
  uint32_t effect = 0;
  uint32_t cause = 0;
};

// What a label may be.
enum class LabelRange : uint8_t { kZeroOrOne, kNotNegative, kAnyNumber };

// Which labels the model reads: label_fields or computed labels, in the order of Batch::labels. A
// name may stand there twice.
struct LabelColumns {
  std::vector<std::string> names;
  std::vector<LabelRange> ranges = {};  // as names, or empty: all kZeroOrOne
  std::vector<ImpliedLabel> implied;
};

class BatchBuilder {
 public:
  // `statistics` are in the order of the job's features. The job has passed CheckJob.
  static StatusOr<std::unique_ptr<BatchBuilder>> Create(
      const Job& job, std::span<const FeatureStatistics> statistics, const LabelColumns& labels);

  // Input fields that a row is read for, ascending; AddRow looks at no other.
  const std::vector<uint32_t>& used_fields() const { return used_fields_; }
  // By input field: in which forms its value is read.
  const std::vector<FieldUse>& field_uses() const { return field_uses_; }
  uint32_t field_count() const { return field_count_; }

  // Empties `batch` and gives it its columns.
  void Start(Batch& batch) const;

  // Adds one row. `values[i]` is the text of input field i; empty ones are replaced by the field's
  // default. With another reason than kNone the batch is as it was before.
  BadRowReason AddRow(std::span<std::string_view> values, Batch& batch) const {
    return AddRow(values, {}, batch);
  }
  // The same of a record that has lists, by input field: features read a list where there is one.
  BadRowReason AddRow(std::span<std::string_view> values, std::span<const FieldList> lists,
                      Batch& batch) const;

  // Of a row that AddRow refused: the input field of a feature, or of the scene, that is to blame.
  // Nothing where a label, a weight or a time is.
  std::optional<uint32_t> FindBadField(std::span<const std::string_view> values) const;

  // What Batch::request says of such a row; the job has a request field.
  uint64_t RequestOf(std::span<const std::string_view> values) const;

 private:
  struct DefaultValue {
    uint32_t field = 0;
    std::string text;
  };
  struct TypedField {
    uint32_t field = 0;
    bool is_whole = false;
  };
  struct LabelSource {
    uint32_t field = 0;  // without an expression
    LabelRange range = LabelRange::kZeroOrOne;
    std::optional<LabelExpression> expression;
    std::optional<LabelExpression> known_if;
  };
  struct Column {
    uint32_t field = 0;
    FeatureTransform transform;
  };

  BatchBuilder() = default;
  Status AddFeatures(const Job& job, std::span<const FeatureStatistics> statistics);
  Status AddLabels(const DataConfig& data, const LabelColumns& labels);
  Status AddComputedLabel(const DataConfig& data, const std::string& name);
  void AddContext(const Job& job);
  void AddTypes(const Job& job);
  FieldUse& Use(uint32_t field);
  void UseAsText(uint32_t field) { Use(field).as_text = true; }

  static BadRowReason CheckType(const TypedField& typed, std::string_view value);
  BadRowReason CheckTypes(std::span<const std::string_view> values,
                          std::span<const FieldList> lists) const;
  static BadRowReason ComputeLabel(const LabelSource& source,
                                   std::span<const std::string_view> values, float& label);
  BadRowReason AppendLabels(std::span<const std::string_view> values, Batch& batch) const;
  BadRowReason AppendContext(std::span<const std::string_view> values, Batch& batch) const;
  BadRowReason AppendFeatures(std::span<const std::string_view> values,
                              std::span<const FieldList> lists, Batch& batch) const;
  BadRowReason AppendAll(std::span<const std::string_view> values, std::span<const FieldList> lists,
                         Batch& batch) const;
  void TakeBack(Batch& batch) const;

  uint32_t field_count_ = 0;
  std::vector<uint32_t> used_fields_;
  std::vector<FieldUse> field_uses_;
  std::vector<DefaultValue> defaults_;
  std::vector<TypedField> typed_;
  std::vector<LabelSource> labels_;
  std::vector<ImpliedLabel> implied_;
  std::vector<Column> sparse_;
  std::vector<Column> dense_;
  uint32_t dense_width_ = 0;
  std::optional<uint32_t> weight_field_;
  std::optional<uint32_t> scene_field_;
  std::optional<uint32_t> time_field_;
  std::optional<uint32_t> user_field_;
  std::optional<uint32_t> request_field_;
  Vocabulary scenes_;
  bool keeps_unknown_scenes_ = false;
};

}  // namespace antiphon
