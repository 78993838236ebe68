#include "models/feature_group_check.h"

#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/data/feature_columns.h"
#include "models/model.h"
#include "models/model_checks.h"

namespace antiphon {
namespace {

constexpr uint64_t kMaxLength = 1000;
constexpr uint64_t kMaxAttentionDim = 4096;

// Goes through the groups and remembers which features they use.
class GroupChecker {
 public:
  GroupChecker(const Job& job, FieldChecks& checks)
      : model_(job.model_config()), features_(job.feature_config()), checks_(checks) {
    for (const FeatureConfig& feature : features_.features()) {
      names_.push_back(FeatureName(feature));
      by_name_.emplace(FeatureName(feature), &feature);
    }
  }

  void Run() {
    if (model_.feature_groups_size() == 0) {
      checks_.Add("model_config.feature_groups", "is missing, expected the model's features");
    }
    std::vector<std::string> groups;
    for (int g = 0; g < model_.feature_groups_size(); ++g) {
      groups.push_back(model_.feature_groups(g).group_name());
      CheckGroup(model_.feature_groups(g), ElementPath("model_config.feature_groups", g));
    }
    checks_.Distinct("model_config.feature_groups", groups);
    for (int i = 0; i < features_.features_size(); ++i) {
      CheckUse(i);
    }
  }

 private:
  void CheckGroup(const FeatureGroup& group, const std::string& path) {
    if (group.feature_names_size() == 0 && group.sequence_features_size() == 0) {
      checks_.Add(path + ".feature_names", "is empty, expected features");
    }
    for (int i = 0; i < group.feature_names_size(); ++i) {
      const std::string field = ElementPath(path + ".feature_names", i);
      const FeatureConfig* feature = Use(field, group.feature_names(i));
      if (feature != nullptr && IsSequence(*feature)) {
        checks_.Add(field, "feature \"" + group.feature_names(i) +
                               "\" is a SequenceFeature, expected it as a hist_seq of "
                               "sequence_features; a TagFeature is pooled");
      }
    }
    for (int i = 0; i < group.sequence_features_size(); ++i) {
      CheckSequences(group.sequence_features(i), ElementPath(path + ".sequence_features", i));
    }
  }

  void CheckSequences(const SequenceFeatures& config, const std::string& path) {
    if (RowPartsOf(model_).linear > 0) {
      checks_.Add(path,
                  "is not read by a model with a weight for each value, expected TagFeatures");
    }
    if (config.group_name().empty() || !sequence_groups_.insert(config.group_name()).second) {
      checks_.Add(path + ".group_name", "\"" + config.group_name() +
                                            "\" is empty or used twice, expected a name of its "
                                            "own for the attention's dense blocks");
    }
    if (config.seq_att_map_size() == 0) {
      checks_.Add(path + ".seq_att_map", "is missing, expected a key and its hist_seq");
    }
    for (int i = 0; i < config.seq_att_map_size(); ++i) {
      CheckPair(config.seq_att_map(i), ElementPath(path + ".seq_att_map", i));
    }
    if (config.has_attention_dnn()) {
      CheckLayers(path + ".attention_dnn", config.attention_dnn(), Layers::kNeeded, checks_);
      if (config.attention_dnn().dropout_ratio_size() > 0) {
        checks_.Add(path + ".attention_dnn.dropout_ratio[0]",
                    "has no effect on an attention: leaving out an item is left to its weight");
      }
    }
    if (config.has_segments()) {
      const SequenceSegments& segments = config.segments();
      const std::string field = path + ".segments.";
      checks_.Range(field + "short_length", uint64_t{segments.short_length()}, 1, kMaxLength);
      checks_.Range(field + "long_length", uint64_t{segments.long_length()}, 1, kMaxLength);
      checks_.Range(field + "attention_dim", uint64_t{segments.attention_dim()}, 1,
                    kMaxAttentionDim);
    }
  }

  void CheckPair(const SeqAttMap& pair, const std::string& path) {
    const FeatureConfig* items = Use(path + ".hist_seq", pair.hist_seq());
    checks_.Known(path + ".key", pair.key(), "feature", names_);
    const auto key = by_name_.find(pair.key());
    if (items == nullptr || key == by_name_.end()) {
      return;
    }
    const FeatureConfig& target = *key->second;
    if (!IsSequence(*items)) {
      checks_.Add(path + ".hist_seq",
                  "\"" + pair.hist_seq() + "\" is no SequenceFeature, expected one");
    }
    if (!IsCategorical(target) || HasSeveralValues(target)) {
      checks_.Add(path + ".key", "\"" + pair.key() + "\" is no IdFeature, expected one");
    } else if (target.embedding_dim() != items->embedding_dim()) {
      checks_.Add(path + ".hist_seq",
                  "has embedding_dim " + std::to_string(items->embedding_dim()) + ", expected " +
                      std::to_string(target.embedding_dim()) + " as \"" + pair.key() + "\" has");
    }
  }

  static bool IsSequence(const FeatureConfig& feature) {
    return feature.feature_type() == FeatureConfig::SequenceFeature;
  }

  // The feature, or null after an error.
  const FeatureConfig* Use(const std::string& field, const std::string& name) {
    checks_.Known(field, name, "feature", names_);
    if (!used_.insert(name).second) {
      checks_.Add(field, "feature \"" + name + "\" is used twice, expected once");
    }
    const auto feature = by_name_.find(name);
    return feature == by_name_.end() ? nullptr : feature->second;
  }

  void CheckUse(int index) {
    const std::string& name = names_[static_cast<size_t>(index)];
    if (!used_.contains(name)) {
      checks_.Add(ElementPath("feature_config.features", index),
                  "feature \"" + name +
                      "\" is in no feature group, expected it in one of "
                      "model_config.feature_groups or not at all");
    }
  }

  const ModelConfig& model_;
  const FeatureConfigs& features_;
  FieldChecks& checks_;
  std::vector<std::string> names_;
  std::map<std::string, const FeatureConfig*> by_name_;
  std::set<std::string> used_;
  std::set<std::string> sequence_groups_;
};

}  // namespace

void CheckFeatureGroups(const Job& job, FieldChecks& checks) {
  GroupChecker(job, checks).Run();
}

}  // namespace antiphon
