#include "scheduler/plan_continuation.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <utility>

namespace antiphon {
namespace {

void OrderBlocks(const ParameterSchema& snapshot, ParameterSchema& planned) {
  std::map<std::string, int> place;
  for (int i = 0; i < snapshot.blocks_size(); ++i) {
    place.emplace(snapshot.blocks(i).name(), i);
  }
  const auto place_of = [&place, &snapshot](const BlockSpec& block) {
    const auto found = place.find(block.name());
    return found == place.end() ? snapshot.blocks_size() : found->second;
  };
  std::stable_sort(
      planned.mutable_blocks()->begin(), planned.mutable_blocks()->end(),
      [&place_of](const BlockSpec& a, const BlockSpec& b) { return place_of(a) < place_of(b); });
}

void ContinueVocabulary(const FeatureStatistics& snapshot, FeatureStatistics& planned) {
  const std::set<std::string> known(snapshot.vocabulary().begin(), snapshot.vocabulary().end());
  google::protobuf::RepeatedPtrField<std::string> merged = snapshot.vocabulary();
  for (const std::string& value : planned.vocabulary()) {
    if (!known.contains(value)) {
      merged.Add(std::string(value));
    }
  }
  *planned.mutable_vocabulary() = std::move(merged);
}

// Of the same feature. One whose dimensions have changed is another one.
void ContinueStatistics(const FeatureStatistics& snapshot, FeatureStatistics& planned) {
  if (snapshot.min_val_size() != planned.min_val_size() ||
      snapshot.mean_val_size() != planned.mean_val_size()) {
    return;
  }
  *planned.mutable_min_val() = snapshot.min_val();
  *planned.mutable_max_val() = snapshot.max_val();
  *planned.mutable_mean_val() = snapshot.mean_val();
  *planned.mutable_stddev_val() = snapshot.stddev_val();
  ContinueVocabulary(snapshot, planned);
}

}  // namespace

TrainingPlan ContinuePlan(const TrainingPlan& snapshot, TrainingPlan planned) {
  OrderBlocks(snapshot.schema(), *planned.mutable_schema());
  for (FeatureStatistics& feature : *planned.mutable_features()) {
    for (const FeatureStatistics& earlier : snapshot.features()) {
      if (earlier.feature_name() == feature.feature_name()) {
        ContinueStatistics(earlier, feature);
      }
    }
  }
  return planned;
}

}  // namespace antiphon
