#include "tools/ctl/key_of_value.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/hash.h"

namespace antiphon {
namespace {

using ::testing::HasSubstr;

TrainingPlan SmallPlan() {
  TrainingPlan plan;
  plan.set_job(R"(feature_config {
    features { input_names: "user" embedding_dim: 4 }
    features { input_names: "status" embedding_dim: 4 vocab_from_data: true }
    features { input_names: "last" embedding_name: "user" embedding_dim: 4 feature_type: TagFeature
               separator: "|" }
    features { input_names: "age" feature_type: RawFeature }
  })");
  for (const char* name : {"user", "status", "last", "age"}) {
    plan.add_features()->set_feature_name(name);
  }
  plan.mutable_features(1)->add_vocabulary("Married");
  plan.mutable_features(1)->add_vocabulary("Never married");
  return plan;
}

TEST(KeyOfValueTest, IsTheKeyThatTrainingUses) {
  const StatusOr<Key> hashed = KeyOfValue(SmallPlan(), "user", "u7");
  const StatusOr<Key> numbered = KeyOfValue(SmallPlan(), "status", "Never married");

  ASSERT_TRUE(hashed.ok() && numbered.ok()) << hashed.status() << numbered.status();
  EXPECT_EQ(*hashed, FeatureHash("user", "u7"));
  EXPECT_EQ(*numbered, 2);
}

TEST(KeyOfValueTest, SaysWhyThereIsNone) {
  const auto why = [](const char* table, const char* value) {
    return KeyOfValue(SmallPlan(), table, value).status().message();
  };

  EXPECT_THAT(why("status", "Widowed"), HasSubstr("is in no vocabulary of status"));
  EXPECT_THAT(why("age", "7"), HasSubstr("no feature of the job reads table 'age'"));
}

}  // namespace
}  // namespace antiphon
