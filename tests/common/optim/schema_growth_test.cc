#include "common/optim/schema_growth.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace antiphon {
namespace {

using ::testing::HasSubstr;

ParameterSchema SmallSchema() {
  ParameterSchema schema;
  schema.set_seed(3);
  schema.set_shard_count(8);
  schema.set_chunk_floats(100);
  TableSpec& table = *schema.add_tables();
  table.set_name("user");
  table.set_dim(8);
  BlockSpec& block = *schema.add_blocks();
  block.set_name("public");
  block.set_rows(2);
  block.set_cols(3);
  BlockSpec& weights = *schema.add_blocks();
  weights.set_name("task_weights");
  weights.set_rows(3);
  weights.set_cols(1);
  weights.mutable_loss_balance()->mutable_grad_norm();
  weights.mutable_loss_balance()->add_tasks("click");
  weights.mutable_loss_balance()->add_initial_loss(1);
  return schema;
}

std::string Difference(const ParameterSchema& after) {
  const Status status = CheckGrows(SmallSchema(), after);
  EXPECT_TRUE(status.ok() || status.code() == StatusCode::kFailedPrecondition) << status;
  return status.message();
}

TEST(SchemaGrowthTest, TakesWhatComesBehindAndColumnsOfTaskWeights) {
  ParameterSchema grown = SmallSchema();
  grown.add_tables()->set_name("host");
  grown.add_blocks()->set_name("scene.news");
  BlockSpec& weights = *grown.mutable_blocks(1);
  weights.set_cols(2);
  weights.mutable_loss_balance()->add_tasks("gift");
  weights.mutable_loss_balance()->add_initial_loss(2);

  EXPECT_EQ(Difference(SmallSchema()), "");
  EXPECT_EQ(Difference(grown), "");
}

TEST(SchemaGrowthTest, NamesTheFirstThatWouldChange) {
  ParameterSchema other_seed = SmallSchema();
  other_seed.set_seed(4);
  EXPECT_THAT(Difference(other_seed), HasSubstr("seed: 3 -> 4"));
  ParameterSchema other_dim = SmallSchema();
  other_dim.mutable_tables(0)->set_dim(16);
  EXPECT_THAT(Difference(other_dim), HasSubstr("table 'user' would be another one"));
  EXPECT_THAT(Difference(other_dim), HasSubstr("dim: 8 -> 16"));
  ParameterSchema other_rate = SmallSchema();
  other_rate.mutable_blocks(0)
      ->mutable_optimizer()
      ->mutable_sgd_optimizer()
      ->mutable_learning_rate()
      ->mutable_constant_learning_rate()
      ->set_learning_rate(1);
  EXPECT_THAT(Difference(other_rate), HasSubstr("dense block 'public' would be another one"));
  ParameterSchema fewer = SmallSchema();
  fewer.mutable_blocks()->RemoveLast();
  EXPECT_THAT(Difference(fewer), HasSubstr("dense block 'task_weights' would be gone"));
  ParameterSchema no_table = SmallSchema();
  no_table.clear_tables();
  EXPECT_THAT(Difference(no_table), HasSubstr("table 'user' would be gone"));
}

TEST(SchemaGrowthTest, WeightsOfTasksKeepTheirColumnsAndTheirRule) {
  ParameterSchema renamed = SmallSchema();
  renamed.mutable_blocks(1)->mutable_loss_balance()->set_tasks(0, "like");
  EXPECT_THAT(Difference(renamed), HasSubstr("dense block 'task_weights' would be another one"));
  ParameterSchema other_rule = SmallSchema();
  other_rule.mutable_blocks(1)->mutable_loss_balance()->mutable_grad_norm()->set_alpha(3);
  EXPECT_THAT(Difference(other_rule), HasSubstr("alpha"));
}

}  // namespace
}  // namespace antiphon
