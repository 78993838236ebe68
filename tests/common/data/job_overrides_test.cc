#include "common/data/job_overrides.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/data/job_text.h"

namespace antiphon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class JobOverridesTest : public ::testing::Test {
 protected:
  JobOverridesTest() {
    StatusOr<ParsedJob> parsed = ParseJobText("job", R"(
      seed: 1
      train_config { optimizer_config { sgd_optimizer { learning_rate {
        constant_learning_rate { learning_rate: 0.5 } } } } }
      data_config { label_fields: "a" label_fields: "b" }
      model_config { mmoe { expert_dnn { hidden_units: [64, 32] } } }
    )");
    CHECK(parsed.ok()) << parsed.status();
    job_ = parsed->job;
    locations_ = FieldLocations("job", parsed->tree);
  }

  std::string ErrorOf(const std::string& text) {
    const Status status = ApplyOverride(text, job_, locations_);
    return status.message();
  }

  Job job_;
  FieldLocations locations_;
};

TEST_F(JobOverridesTest, SetsScalarsOfEveryKind) {
  EXPECT_EQ(ErrorOf("seed=7"), "");
  EXPECT_EQ(ErrorOf("name=my job"), "");
  EXPECT_EQ(ErrorOf("train_config.sync_replicas=false"), "");
  EXPECT_EQ(ErrorOf("train_config.gradient_clipping_by_norm=2.5"), "");
  EXPECT_EQ(ErrorOf("eval_config.when=AT_END"), "");
  EXPECT_EQ(ErrorOf("data_config.separator=, "), "");

  EXPECT_EQ(job_.seed(), 7U);
  EXPECT_EQ(job_.name(), "my job");
  EXPECT_FALSE(job_.train_config().sync_replicas());
  EXPECT_EQ(job_.train_config().gradient_clipping_by_norm(), 2.5F);
  EXPECT_EQ(job_.eval_config().when(), EvalConfig::AT_END);
  EXPECT_EQ(job_.data_config().separator(), ",");  // blanks at the end need quotes
}

TEST_F(JobOverridesTest, KeepsQuotedTextAsItStands) {
  EXPECT_EQ(ErrorOf("data_config.separator=\", \""), "");
  EXPECT_EQ(job_.data_config().separator(), ", ");

  EXPECT_EQ(ErrorOf("data_config.separator=\"\\t\""), "");
  EXPECT_EQ(job_.data_config().separator(), "\t");
}

TEST_F(JobOverridesTest, AddressesListsByIndexAndAppends) {
  EXPECT_EQ(ErrorOf("data_config.label_fields[1]=c"), "");
  EXPECT_EQ(ErrorOf("data_config.label_fields[]=d"), "");
  EXPECT_EQ(ErrorOf("model_config.mmoe.expert_dnn.hidden_units=[8, 4, 2]"), "");
  EXPECT_EQ(ErrorOf("model_config.feature_groups[].group_name=all"), "");

  EXPECT_THAT(job_.data_config().label_fields(), ElementsAre("a", "c", "d"));
  EXPECT_THAT(job_.model_config().mmoe().expert_dnn().hidden_units(), ElementsAre(8, 4, 2));
  EXPECT_EQ(job_.model_config().feature_groups(0).group_name(), "all");
}

TEST_F(JobOverridesTest, SwitchesToAnotherBranchOfAChoice) {
  EXPECT_EQ(ErrorOf("train_config.optimizer_config[0].adam_optimizer.beta1=0.8"), "");

  EXPECT_TRUE(job_.train_config().optimizer_config(0).has_adam_optimizer());
  EXPECT_FALSE(job_.train_config().optimizer_config(0).has_sgd_optimizer());
}

TEST_F(JobOverridesTest, ReplacesAMessage) {
  EXPECT_EQ(ErrorOf("model_config.mmoe={num_expert: 8}"), "");

  EXPECT_EQ(job_.model_config().mmoe().num_expert(), 8U);
  EXPECT_FALSE(job_.model_config().mmoe().has_expert_dnn());
}

TEST_F(JobOverridesTest, NamesTheOverrideInErrors) {
  EXPECT_THAT(ErrorOf("sed=1"), StartsWith("--set sed=1: unknown field sed in Job"));
  EXPECT_THAT(ErrorOf("sed=1"), HasSubstr("did you mean \"seed\"?"));
  EXPECT_THAT(ErrorOf("seed=-1"), HasSubstr("got -1, expected a whole number"));
  EXPECT_THAT(ErrorOf("seed"), HasSubstr("expected path.to.field=value"));
  EXPECT_THAT(ErrorOf("seed.x=1"), HasSubstr("seed has no fields inside"));
  EXPECT_THAT(ErrorOf("seed[0]=1"), HasSubstr("seed is not a list"));
  EXPECT_THAT(ErrorOf("data_config.label_fields[5]=x"), HasSubstr("has 2 elements, so no [5]"));
  EXPECT_THAT(ErrorOf("data_config.label_fields=x"), HasSubstr("is a list"));
  EXPECT_THAT(ErrorOf("eval_config.when=AT_ENT"), HasSubstr("did you mean \"AT_END\"?"));
  EXPECT_THAT(ErrorOf("train_config.sync_replicas=maybe"), HasSubstr("expected true or false"));
  EXPECT_THAT(ErrorOf("model_config.mmoe={num_exprt: 8}"), HasSubstr("num_exprt"));
}

TEST_F(JobOverridesTest, LocatesWhatItWrote) {
  ASSERT_EQ(ErrorOf("data_config.label_fields[]=d"), "");

  EXPECT_EQ(locations_.Locate("data_config.label_fields[2]"), "--set data_config.label_fields[]=d");
  EXPECT_EQ(locations_.Locate("data_config.label_fields[1]"), "job:5:39");
  EXPECT_EQ(locations_.Locate("model_config.mmoe.num_expert"), "job:6:22");
  EXPECT_EQ(locations_.Locate("eval_config.when"), "job");
}

}  // namespace
}  // namespace antiphon
