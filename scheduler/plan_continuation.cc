#include "scheduler/plan_continuation.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <numeric>
#include <set>
#include <string>
#include <utility>
#include <vector>

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

// The weights of tasks have a column a task: those of the snapshot in its order, then new ones.
void ContinueBalance(const LossBalance& snapshot, LossBalance& planned) {
  std::map<std::string, int> place;
  for (int i = 0; i < snapshot.tasks_size(); ++i) {
    place.emplace(snapshot.tasks(i), i);
  }
  std::vector<int> order(static_cast<size_t>(planned.tasks_size()));
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, {}, [&](int task) {
    const auto found = place.find(planned.tasks(task));
    return found == place.end() ? snapshot.tasks_size() : found->second;
  });
  const LossBalance before = planned;
  for (int i = 0; i < planned.tasks_size(); ++i) {
    planned.set_tasks(i, before.tasks(order[static_cast<size_t>(i)]));
    if (i < planned.initial_loss_size()) {
      planned.set_initial_loss(i, before.initial_loss(order[static_cast<size_t>(i)]));
    }
  }
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

// A stream goes on from where the model was begun: what LATEST means now is no longer the question.
void ContinueStreams(const TrainingPlan& snapshot, TrainingPlan& planned) {
  for (Partition& partition : *planned.mutable_partitions()) {
    for (const Partition& earlier : snapshot.partitions()) {
      if (partition.open_ended() && earlier.open_ended() && earlier.path() == partition.path()) {
        partition.set_begin_position(earlier.begin_position());
      }
    }
  }
}

}  // namespace

TrainingPlan ContinuePlan(const TrainingPlan& snapshot, TrainingPlan planned) {
  ContinueStreams(snapshot, planned);
  OrderBlocks(snapshot.schema(), *planned.mutable_schema());
  for (int i = 0; i < std::min(snapshot.schema().blocks_size(), planned.schema().blocks_size());
       ++i) {
    if (planned.schema().blocks(i).has_loss_balance()) {
      ContinueBalance(snapshot.schema().blocks(i).loss_balance(),
                      *planned.mutable_schema()->mutable_blocks(i)->mutable_loss_balance());
    }
  }
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
