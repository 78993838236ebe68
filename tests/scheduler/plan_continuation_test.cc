#include "scheduler/plan_continuation.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace antiphon {
namespace {

using ::testing::ElementsAre;

TrainingPlan PlanOf(const std::vector<std::string>& blocks) {
  TrainingPlan plan;
  for (const std::string& name : blocks)
    plan.mutable_schema()->add_blocks()->set_name(name);
  return plan;
}

std::vector<std::string> BlockNames(const TrainingPlan& plan) {
  std::vector<std::string> names;
  for (const BlockSpec& block : plan.schema().blocks())
    names.push_back(block.name());
  return names;
}

TEST(PlanContinuationTest, KeepsTheNumbersOfBlocksAndPutsNewOnesBehind) {
  const TrainingPlan snapshot = PlanOf({"public", "click", "scene.a", "scene.b"});

  const TrainingPlan plan = ContinuePlan(
      snapshot, PlanOf({"public", "click", "gift", "scene.new", "scene.b", "scene.a"}));

  EXPECT_THAT(BlockNames(plan),
              ElementsAre("public", "click", "scene.a", "scene.b", "gift", "scene.new"));
}

TEST(PlanContinuationTest, KeepsTheColumnsOfTaskWeightsAndPutsNewOnesBehind) {
  const auto plan_of = [](const std::vector<std::string>& tasks) {
    TrainingPlan plan = PlanOf({"task_weights"});
    LossBalance& balance = *plan.mutable_schema()->mutable_blocks(0)->mutable_loss_balance();
    for (const std::string& task : tasks) {
      balance.add_tasks(task);
      balance.add_initial_loss(static_cast<float>(task.size()));
    }
    return plan;
  };

  const TrainingPlan plan =
      ContinuePlan(plan_of({"click", "like"}), plan_of({"follow", "like", "go", "click"}));

  const LossBalance& balance = plan.schema().blocks(0).loss_balance();
  EXPECT_THAT(balance.tasks(), ElementsAre("click", "like", "follow", "go"));
  EXPECT_THAT(balance.initial_loss(), ElementsAre(5, 4, 6, 2));
}

TEST(PlanContinuationTest, KeepsWhatWasFittedAndAddsNewValuesBehind) {
  TrainingPlan snapshot;
  FeatureStatistics& earlier = *snapshot.add_features();
  earlier.set_feature_name("age");
  earlier.add_min_val(1);
  earlier.add_max_val(9);
  earlier.add_vocabulary("x");
  earlier.add_vocabulary("y");
  TrainingPlan planned;
  planned.add_features()->set_feature_name("new");
  FeatureStatistics& later = *planned.add_features();
  later.set_feature_name("age");
  later.add_min_val(0);
  later.add_max_val(50);
  later.add_vocabulary("z");
  later.add_vocabulary("x");

  const TrainingPlan plan = ContinuePlan(snapshot, planned);

  EXPECT_THAT(plan.features(1).max_val(), ElementsAre(9));
  EXPECT_THAT(plan.features(1).vocabulary(), ElementsAre("x", "y", "z"));
}

}  // namespace
}  // namespace antiphon
