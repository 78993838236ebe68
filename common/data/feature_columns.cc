#include "common/data/feature_columns.h"

namespace antiphon {

bool IsCategorical(const FeatureConfig& feature) {
  return feature.feature_type() != FeatureConfig::RawFeature || feature.boundaries_size() > 0;
}

bool HasSeveralValues(const FeatureConfig& feature) {
  return feature.feature_type() == FeatureConfig::TagFeature ||
         feature.feature_type() == FeatureConfig::SequenceFeature;
}

bool NeedsFitting(const FeatureConfig& feature) {
  if (IsCategorical(feature)) {
    return feature.vocab_from_data();
  }
  for (const int normalizer : feature.normalizers()) {
    if (normalizer == FeatureConfig::MIN_MAX && !(feature.has_min_val() && feature.has_max_val())) {
      return true;
    }
    if (normalizer == FeatureConfig::STANDARD &&
        !(feature.has_mean_val() && feature.has_stddev_val())) {
      return true;
    }
  }
  return false;
}

const std::string& FeatureName(const FeatureConfig& feature) {
  if (!feature.has_feature_name() && feature.input_names_size() > 0) {
    return feature.input_names(0);
  }
  return feature.feature_name();
}

const std::string& TableName(const FeatureConfig& feature) {
  return feature.has_embedding_name() ? feature.embedding_name() : FeatureName(feature);
}

FeatureColumns OrderFeatureColumns(const FeatureConfigs& config) {
  FeatureColumns columns;
  for (int i = 0; i < config.features_size(); ++i) {
    const FeatureConfig& feature = config.features(i);
    if (IsCategorical(feature)) {
      columns.sparse.push_back(static_cast<uint32_t>(i));
    } else {
      columns.dense.push_back(static_cast<uint32_t>(i));
      columns.dense_offset.push_back(columns.dense_width);
      columns.dense_width += feature.raw_input_dim();
    }
  }
  return columns;
}

int FindInputField(const DataConfig& data, const std::string& name) {
  for (int i = 0; i < data.input_fields_size(); ++i) {
    if (data.input_fields(i).input_name() == name) {
      return i;
    }
  }
  return -1;
}

}  // namespace antiphon
