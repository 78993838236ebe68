#include "tools/ctl/key_of_value.h"

#include "common/data/batch.h"
#include "common/data/feature_columns.h"
#include "common/data/feature_transform.h"
#include "common/data/job_text.h"

namespace antiphon {
namespace {

// None when the value reads no row by this feature.
StatusOr<std::vector<Key>> KeysBy(const FeatureConfig& feature, const FeatureStatistics& statistics,
                                  const std::string& value) {
  AP_ASSIGN_OR_RETURN(const FeatureTransform transform,
                      FeatureTransform::Create(feature, statistics));
  SparseColumn column;
  const BadRowReason reason = transform.AppendKeys(value, column);
  if (reason != BadRowReason::kNone) {
    return InvalidArgumentError("feature " + FeatureName(feature) + " cannot read '" + value +
                                "': " + std::string(BadRowReasonText(reason)));
  }
  return column.keys;
}

}  // namespace

StatusOr<Key> KeyOfValue(const TrainingPlan& plan, const std::string& table,
                         const std::string& value) {
  AP_ASSIGN_OR_RETURN(const ParsedJob parsed, ParseJobText("the plan's job", plan.job()));
  const auto& features = parsed.job.feature_config().features();
  std::string readers;
  for (int i = 0; i < features.size() && i < plan.features_size(); ++i) {
    if (!IsCategorical(features[i]) || TableName(features[i]) != table) {
      continue;
    }
    readers += (readers.empty() ? "" : ", ") + FeatureName(features[i]);
    AP_ASSIGN_OR_RETURN(const std::vector<Key> keys, KeysBy(features[i], plan.features(i), value));
    if (keys.size() > 1) {
      return InvalidArgumentError("'" + value + "' is " + std::to_string(keys.size()) +
                                  " values of feature " + FeatureName(features[i]) +
                                  ", expected one");
    }
    if (keys.size() == 1) {
      return keys.front();
    }
  }
  if (readers.empty()) {
    return InvalidArgumentError("no feature of the job reads table '" + table +
                                "'; ps_ctl tables lists them");
  }
  return InvalidArgumentError("'" + value + "' reads no row of table " + table +
                              ": it is in no vocabulary of " + readers);
}

}  // namespace antiphon
