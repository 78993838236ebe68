#include "scheduler/restore_check.h"

#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace antiphon {
namespace {

using ::testing::HasSubstr;

ParameterSchema Schema() {
  ParameterSchema schema;
  schema.set_shard_count(16);
  schema.set_chunk_floats(64);
  TableSpec& table = *schema.add_tables();
  table.set_name("user");
  table.set_dim(8);
  table.mutable_optimizer()->mutable_adagrad_optimizer()->set_initial_accumulator_value(0.1F);
  BlockSpec& block = *schema.add_blocks();
  block.set_name("tower/w");
  block.set_rows(3);
  block.set_cols(5);
  return schema;
}

// The error when the job's schema was changed like this.
std::string ErrorAfter(const std::function<void(ParameterSchema&)>& change) {
  ParameterSchema planned = Schema();
  change(planned);
  return CheckSchemasFit(Schema(), planned).message();
}

TEST(RestoreCheckTest, AcceptsTheSameSchemaAndAnotherSeed) {
  ParameterSchema planned = Schema();
  planned.set_seed(9);
  planned.mutable_tables(0)->mutable_initializer()->mutable_constant_initializer();

  EXPECT_TRUE(CheckSchemasFit(Schema(), planned).ok());
}

TEST(RestoreCheckTest, AcceptsAnotherLearningRate) {
  ParameterSchema planned = Schema();
  planned.mutable_tables(0)
      ->mutable_optimizer()
      ->mutable_adagrad_optimizer()
      ->mutable_learning_rate()
      ->mutable_constant_learning_rate()
      ->set_learning_rate(0.5F);

  EXPECT_TRUE(CheckSchemasFit(Schema(), planned).ok());
}

TEST(RestoreCheckTest, NamesTheDifference) {
  EXPECT_THAT(ErrorAfter([](auto& s) { s.set_shard_count(8); }),
              HasSubstr("the number of shards is 16 in the snapshot and 8 in the job"));
  EXPECT_THAT(ErrorAfter([](auto& s) { s.set_chunk_floats(8); }), HasSubstr("chunk_floats is 64"));
  EXPECT_THAT(ErrorAfter([](auto& s) { s.clear_tables(); }),
              HasSubstr("table user is in the snapshot and not in the job"));
  EXPECT_THAT(
      ErrorAfter([](auto& s) { s.mutable_tables(0)->add_segments()->set_dim(8); }),
      HasSubstr("table user's number of row segments is 0 in the snapshot and 1 in the job"));
  EXPECT_THAT(ErrorAfter([](auto& s) { s.mutable_tables(0)->set_name("item"); }),
              HasSubstr("table 0 is user in the snapshot and item in the job"));
  EXPECT_THAT(ErrorAfter([](auto& s) {
                s.mutable_tables(0)->mutable_optimizer()->mutable_adam_optimizer();
              }),
              HasSubstr("table user's optimizer is { adagrad_optimizer"));
  EXPECT_THAT(ErrorAfter([](auto& s) { s.mutable_blocks(0)->set_cols(6); }),
              HasSubstr("dense block tower/w's cols is 5"));
  EXPECT_THAT(ErrorAfter([](auto& s) { s.mutable_blocks()->Clear(); }),
              HasSubstr("dense block tower/w is in the snapshot and not in the job"));
}

TEST(RestoreCheckTest, AcceptsWhatIsNewBehindWhatWasThere) {
  ParameterSchema planned = Schema();
  planned.add_tables()->set_name("room");
  planned.add_blocks()->set_name("scene.live.tower/w");

  EXPECT_TRUE(CheckSchemasFit(Schema(), planned).ok());
}

TEST(RestoreCheckTest, TaskWeightsMayGainTasks) {
  ParameterSchema snapshot = Schema();
  snapshot.mutable_blocks(0)->mutable_loss_balance()->mutable_grad_norm();
  snapshot.mutable_blocks(0)->mutable_loss_balance()->add_tasks("click");
  ParameterSchema planned = snapshot;
  planned.mutable_blocks(0)->set_cols(6);
  planned.mutable_blocks(0)->mutable_loss_balance()->add_tasks("like");
  planned.mutable_blocks(0)->mutable_loss_balance()->mutable_grad_norm()->set_alpha(1);
  EXPECT_TRUE(CheckSchemasFit(snapshot, planned).ok());

  planned.mutable_blocks(0)->mutable_loss_balance()->set_tasks(0, "view");
  EXPECT_THAT(CheckSchemasFit(snapshot, planned).message(), HasSubstr("tower/w's cols is 5"));

  planned.mutable_blocks(0)->mutable_loss_balance()->mutable_dwa();
  EXPECT_THAT(CheckSchemasFit(snapshot, planned).message(),
              HasSubstr("loss_weight_strategy is GradNorm in the snapshot and DWA in the job"));
}

TEST(RestoreCheckTest, KnowsWhetherPositionsMeanTheSame) {
  TrainingPlan plan;
  plan.add_partitions()->set_path("a.csv");
  TrainingPlan other = plan;
  EXPECT_TRUE(SamePartitions(plan, other));

  other.mutable_partitions(0)->set_begin_record(1);
  EXPECT_FALSE(SamePartitions(plan, other));
  other = plan;
  other.add_partitions();
  EXPECT_FALSE(SamePartitions(plan, other));
}

}  // namespace
}  // namespace antiphon
