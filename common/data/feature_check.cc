#include "common/data/feature_check.h"

#include <algorithm>
#include <limits>
#include <map>
#include <span>

#include "common/base/status.h"
#include "common/data/feature_columns.h"
#include "common/data/label_expression.h"

namespace antiphon {
namespace {

constexpr uint64_t kMaxDim = 4096;
constexpr uint64_t kMaxValues = 1 << 20;
constexpr uint64_t kMaxSequence = 1000;
constexpr int kMaxFeatures = 16384;

// Complains about each field that is set although the feature does not read it.
void RefuseFields(const FeatureConfig& feature, const std::string& path, const std::string& why,
                  std::span<const char* const> names, FieldChecks& checks) {
  const google::protobuf::Reflection& reflection = *FeatureConfig::GetReflection();
  for (const char* name : names) {
    const google::protobuf::FieldDescriptor* field =
        FeatureConfig::descriptor()->FindFieldByName(name);
    const bool is_set = field->is_repeated() ? reflection.FieldSize(feature, field) > 0
                                             : reflection.HasField(feature, field);
    if (is_set) {
      checks.Add(path + "." + name, "has no effect on " + why);
    }
  }
}

// Fields with a default cannot be seen as set or not (the effective job has them all), so what
// counts is whether they differ from it.
void RefuseChangedFields(const FeatureConfig& feature, const std::string& path,
                         const std::string& why, FieldChecks& checks) {
  const FeatureConfig& plain = FeatureConfig::default_instance();
  const bool is_tag = feature.feature_type() == FeatureConfig::TagFeature;
  const bool has_several = HasSeveralValues(feature);
  const bool is_raw = feature.feature_type() == FeatureConfig::RawFeature;
  const bool has_pieces = has_several || feature.raw_input_dim() > 1;
  if (!has_pieces && feature.separator() != plain.separator()) {
    checks.Add(path + ".separator", "has no effect on " + why);
  }
  if (!is_tag && feature.combiner() != plain.combiner()) {
    checks.Add(path + ".combiner", "has no effect on " + why);
  }
  if (!has_several && feature.max_values() != plain.max_values()) {
    checks.Add(path + ".max_values", "has no effect on " + why);
  }
  if (!is_raw && feature.raw_input_dim() != plain.raw_input_dim()) {
    checks.Add(path + ".raw_input_dim", "has no effect on " + why);
  }
}

void CheckIdSource(const FeatureConfig& feature, const std::string& path, FieldChecks& checks) {
  const int sources = static_cast<int>(feature.has_hash_bucket_size()) +
                      static_cast<int>(feature.has_num_buckets()) +
                      static_cast<int>(feature.vocab_list_size() > 0) +
                      static_cast<int>(feature.has_vocab_file()) +
                      static_cast<int>(feature.vocab_from_data());
  if (sources > 1) {
    checks.Add(path,
               "expected at most one of hash_bucket_size, num_buckets, vocab_list, vocab_file and "
               "vocab_from_data");
  }
  const uint64_t highest = std::numeric_limits<uint64_t>::max();
  if (feature.has_hash_bucket_size()) {
    checks.Range(path + ".hash_bucket_size", feature.hash_bucket_size(), 1, highest);
  }
  if (feature.has_num_buckets()) {
    checks.Range(path + ".num_buckets", feature.num_buckets(), 1, highest);
  }
  checks.Distinct(path + ".vocab_list", {feature.vocab_list().begin(), feature.vocab_list().end()});
}

void CheckRowPolicy(const RowPolicy& policy, const std::string& path, FieldChecks& checks) {
  constexpr uint64_t kHighest = std::numeric_limits<uint32_t>::max();
  const Admission& admission = policy.admission();
  checks.Range(path + ".admission.min_count", uint64_t{admission.min_count()}, 1, 15);
  checks.Range(path + ".admission.halve_after", admission.halve_after(), 1, kHighest);
  if (!(admission.probability() > 0 && admission.probability() <= 1)) {
    checks.Add(path + ".admission.probability", "expected more than 0, at most 1");
  }
  const Eviction& eviction = policy.eviction();
  checks.Range(path + ".eviction.half_life_seconds", eviction.half_life_seconds(), 1, kHighest);
  if (!(eviction.min_score() >= 0 && eviction.show_weight() >= 0 && eviction.click_weight() >= 0)) {
    checks.Add(path + ".eviction", "expected min_score, show_weight and click_weight of 0 or more");
  }
}

void CheckTable(const FeatureConfig& feature, const std::string& path, FieldChecks& checks) {
  if (!feature.has_embedding_dim()) {
    checks.Add(path, "has no embedding_dim, expected 1 to " + std::to_string(kMaxDim));
  } else {
    checks.Range(path + ".embedding_dim", uint64_t{feature.embedding_dim()}, 1, kMaxDim);
  }
  if (feature.has_embedding_name() && feature.embedding_name().empty()) {
    checks.Add(path + ".embedding_name", "is empty");
  }
  checks.InitialValues(path + ".initializer", feature.initializer());
  if (feature.has_optimizer_config()) {
    checks.Optimizer(path + ".optimizer_config", feature.optimizer_config());
  }
  CheckRowPolicy(feature.row_policy(), path + ".row_policy", checks);
}

void CheckTags(const FeatureConfig& feature, const std::string& path, FieldChecks& checks) {
  if (feature.separator().empty()) {
    checks.Add(path + ".separator", "is empty");
  }
  if (feature.has_kv_separator() &&
      (feature.kv_separator().empty() || feature.kv_separator() == feature.separator())) {
    checks.Add(path + ".kv_separator", "expected a text other than the separator");
  }
  const bool is_sequence = feature.feature_type() == FeatureConfig::SequenceFeature;
  checks.Range(path + ".max_values", uint64_t{feature.max_values()}, 1,
               is_sequence ? kMaxSequence : kMaxValues);
}

void CheckBoundaries(const FeatureConfig& feature, const std::string& path, FieldChecks& checks) {
  for (int i = 0; i < feature.boundaries_size(); ++i) {
    const double lowest =
        i == 0 ? std::numeric_limits<double>::lowest() : feature.boundaries(i - 1);
    const double value = feature.boundaries(i);
    if (!(value >= lowest && value <= std::numeric_limits<double>::max()) ||
        (i > 0 && value == lowest)) {
      checks.Add(ElementPath(path + ".boundaries", i),
                 GotExpected(NumberText(value), "finite numbers, each above the one before"));
    }
  }
  if (feature.raw_input_dim() != 1) {
    checks.Add(path + ".raw_input_dim", "expected 1 with boundaries: they cut a single number");
  }
}

// LOG1P first, then one of the other two: anything else either undoes itself or would need a pass
// over the data for each step.
void CheckNormalizers(const FeatureConfig& feature, const std::string& path, FieldChecks& checks) {
  bool has_min_max = false;
  bool has_standard = false;
  for (int i = 0; i < feature.normalizers_size(); ++i) {
    const FeatureConfig::Normalizer normalizer = feature.normalizers(i);
    has_min_max |= normalizer == FeatureConfig::MIN_MAX;
    has_standard |= normalizer == FeatureConfig::STANDARD;
    const bool is_late = i > 0 && (normalizer == FeatureConfig::LOG1P ||
                                   feature.normalizers(i - 1) != FeatureConfig::LOG1P);
    if (is_late) {
      checks.Add(ElementPath(path + ".normalizers", i),
                 "expected LOG1P, MIN_MAX, STANDARD, or LOG1P and then one of the others");
    }
  }
  static constexpr const char* kMinMax[] = {"min_val", "max_val"};
  static constexpr const char* kStandard[] = {"mean_val", "stddev_val"};
  if (!has_min_max) {
    RefuseFields(feature, path, "a feature without MIN_MAX", kMinMax, checks);
  } else if (feature.has_min_val() && feature.has_max_val() &&
             !(feature.min_val() < feature.max_val())) {
    checks.Add(path + ".max_val",
               GotExpected(NumberText(feature.max_val()),
                           "more than min_val, " + NumberText(feature.min_val())));
  }
  if (!has_standard) {
    RefuseFields(feature, path, "a feature without STANDARD", kStandard, checks);
  } else if (feature.has_stddev_val()) {
    checks.Positive(path + ".stddev_val", feature.stddev_val());
  }
}

void CheckCategorical(const FeatureConfig& feature, const std::string& path, FieldChecks& checks) {
  static constexpr const char* kNumbersOnly[] = {"normalizers", "min_val", "max_val", "mean_val",
                                                 "stddev_val"};
  CheckIdSource(feature, path, checks);
  CheckTable(feature, path, checks);
  RefuseFields(feature, path, "a categorical feature", kNumbersOnly, checks);
  if (HasSeveralValues(feature)) {
    CheckTags(feature, path, checks);
  }
  if (feature.has_kv_separator() && feature.feature_type() != FeatureConfig::TagFeature) {
    checks.Add(path + ".kv_separator", "has no effect on a feature that is no TagFeature");
  }
  if (feature.feature_type() == FeatureConfig::RawFeature) {
    static constexpr const char* kIdsOnly[] = {"hash_bucket_size", "num_buckets", "vocab_list",
                                               "vocab_file", "vocab_from_data"};
    RefuseFields(feature, path, "a RawFeature with boundaries", kIdsOnly, checks);
    CheckBoundaries(feature, path, checks);
  } else if (feature.boundaries_size() > 0) {
    checks.Add(path + ".boundaries[0]", "expected feature_type: RawFeature with boundaries");
  }
}

void CheckNumeric(const FeatureConfig& feature, const std::string& path, FieldChecks& checks) {
  static constexpr const char* kCategoricalOnly[] = {
      "hash_bucket_size", "num_buckets",    "vocab_list",    "vocab_file",
      "vocab_from_data",  "kv_separator",   "embedding_dim", "initializer",
      "optimizer_config", "embedding_name", "row_policy"};
  RefuseFields(feature, path, "a RawFeature without boundaries", kCategoricalOnly, checks);
  checks.Range(path + ".raw_input_dim", uint64_t{feature.raw_input_dim()}, 1, kMaxDim);
  if (feature.separator().empty()) {
    checks.Add(path + ".separator", "is empty");
  }
  CheckNormalizers(feature, path, checks);
}

// Two features of one table must give the same value the same row, and agree on what a row is.
void CheckSharedTable(const FeatureConfig& first, const FeatureConfig& second,
                      const std::string& path, FieldChecks& checks) {
  const auto text = [](const google::protobuf::Message& message) {
    return message.ShortDebugString();
  };
  const std::string with =
      " as feature \"" + FeatureName(first) + "\", which has the same embedding_name";
  if (first.embedding_dim() != second.embedding_dim()) {
    checks.Add(path + ".embedding_dim", GotExpected(std::to_string(second.embedding_dim()),
                                                    std::to_string(first.embedding_dim()) + with));
  }
  if (text(first.initializer()) != text(second.initializer())) {
    checks.Add(path + ".initializer", "expected the same" + with);
  }
  if (text(first.optimizer_config()) != text(second.optimizer_config())) {
    checks.Add(path + ".optimizer_config", "expected the same" + with);
  }
  if (text(first.row_policy()) != text(second.row_policy())) {
    checks.Add(path + ".row_policy", "expected the same" + with);
  }
  const auto ids = [](const FeatureConfig& feature) {
    FeatureConfig source;
    source.set_hash_bucket_size(feature.hash_bucket_size());
    source.set_num_buckets(feature.num_buckets());
    *source.mutable_vocab_list() = feature.vocab_list();
    source.set_vocab_file(feature.vocab_file());
    *source.mutable_boundaries() = feature.boundaries();
    return source.ShortDebugString();
  };
  if (ids(first) != ids(second)) {
    checks.Add(path + ".embedding_name", "expected ids made in the same way" + with);
  }
  if (first.vocab_from_data() || second.vocab_from_data()) {
    checks.Add(path + ".embedding_name",
               "vocab_from_data numbers the values of one feature, expected a table of its own");
  }
}

void CheckTables(const FeatureConfigs& config, FieldChecks& checks) {
  std::map<std::string, const FeatureConfig*> first_of_table;
  for (int i = 0; i < config.features_size(); ++i) {
    const FeatureConfig& feature = config.features(i);
    if (!IsCategorical(feature)) {
      continue;
    }
    const auto [entry, is_first] = first_of_table.emplace(TableName(feature), &feature);
    if (!is_first) {
      CheckSharedTable(*entry->second, feature, ElementPath("feature_config.features", i), checks);
    }
  }
}

// What each label is read from: a feature on the same field would give the answer away. Where an
// expression reads several fields, some of them may well be features (the scene, for one).
std::map<std::string, std::string> LabelOfField(const DataConfig& data,
                                                const std::vector<std::string>& input_fields) {
  std::map<std::string, std::string> label_of_field;
  for (const std::string& label : data.label_fields()) {
    label_of_field.emplace(label, label);
  }
  for (const Label& label : data.labels()) {
    const StatusOr<LabelExpression> parsed =
        LabelExpression::Parse(label.expression(), input_fields);
    if (parsed.ok() && parsed->Fields().size() == 1) {
      label_of_field.emplace(input_fields[parsed->Fields()[0]], label.label_name());
    }
  }
  return label_of_field;
}

void CheckFeature(const FeatureConfig& feature, const std::string& path, FieldChecks& checks) {
  std::string why = "an IdFeature";
  if (feature.feature_type() == FeatureConfig::TagFeature) {
    why = "a TagFeature";
  } else if (feature.feature_type() == FeatureConfig::SequenceFeature) {
    why = "a SequenceFeature";
  } else if (feature.feature_type() == FeatureConfig::RawFeature) {
    why = feature.raw_input_dim() > 1 ? "a RawFeature" : "a RawFeature with one number";
  }
  RefuseChangedFields(feature, path, why, checks);
  if (IsCategorical(feature)) {
    CheckCategorical(feature, path, checks);
  } else {
    CheckNumeric(feature, path, checks);
  }
}

}  // namespace

void CheckFeatures(const Job& job, const std::vector<std::string>& input_fields,
                   FieldChecks& checks) {
  const FeatureConfigs& config = job.feature_config();
  if (config.features_size() < 1 || config.features_size() > kMaxFeatures) {
    checks.Add("feature_config", GotExpected(std::to_string(config.features_size()) + " features",
                                             "1 to " + std::to_string(kMaxFeatures)));
  }
  const std::map<std::string, std::string> label_of_field =
      LabelOfField(job.data_config(), input_fields);
  std::map<std::string, int> first_with_name;
  for (int i = 0; i < config.features_size(); ++i) {
    const FeatureConfig& feature = config.features(i);
    const std::string path = ElementPath("feature_config.features", i);
    if (!first_with_name.emplace(FeatureName(feature), i).second) {
      checks.Add(path, "there is another feature \"" + FeatureName(feature) +
                           "\"; give one of them a feature_name of its own");
    }
    if (feature.input_names_size() != 1) {
      checks.Add(path,
                 GotExpected(std::to_string(feature.input_names_size()) + " input_names", "1"));
    } else {
      checks.Known(path + ".input_names[0]", feature.input_names(0), "input field", input_fields);
      const auto label = label_of_field.find(feature.input_names(0));
      if (label != label_of_field.end()) {
        checks.Add(path + ".input_names[0]", "\"" + feature.input_names(0) + "\" is what label \"" +
                                                 label->second +
                                                 "\" is made of: it cannot be a feature");
      }
    }
    CheckFeature(feature, path, checks);
  }
  CheckTables(config, checks);
}

}  // namespace antiphon
