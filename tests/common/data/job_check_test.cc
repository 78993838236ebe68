#include "common/data/job_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/data/job_defaults.h"
#include "common/data/job_overrides.h"
#include "common/data/job_text.h"

namespace antiphon {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kGoodJob[] = R"(
  name: "census"
  train_input_path: "train.csv"
  eval_input_path: "test.csv"
  train_config {
    optimizer_config { rowwise_adagrad_optimizer { } }
    optimizer_config { adam_optimizer { } }
  }
  eval_config { metrics_set { gauc { uid_field: "user" } } }
  data_config {
    input_fields { input_name: "user" }
    input_fields { input_name: "age" input_type: DOUBLE default_val: "0" }
    input_fields { input_name: "tags" }
    input_fields { input_name: "click" input_type: INT64 }
    input_fields { input_name: "play" input_type: DOUBLE }
    input_fields { input_name: "scene" }
    label_fields: "click"
    labels { label_name: "long" expression: "play >= 18" known_if: "click == 1" }
    scene_field: "scene"
    scenes: "home"
    scenes: "live"
  }
  feature_config {
    features { input_names: "user" embedding_dim: 4 }
    features { input_names: "age" feature_type: RawFeature normalizers: LOG1P normalizers: MIN_MAX }
    features { input_names: "tags" feature_type: TagFeature embedding_dim: 4 kv_separator: ":" }
    features { input_names: "age" feature_name: "age bucket" feature_type: RawFeature
               boundaries: [18, 30, 60] embedding_dim: 2 }
  }
)";

constexpr char kStreamOverride[] = "data_config.stream={folder {path: \"events\"}}";

class JobCheckTest : public ::testing::Test {
 protected:
  // The good job with some fields changed.
  static std::vector<FieldError> Check(const std::vector<std::string>& overrides) {
    StatusOr<ParsedJob> parsed = ParseJobText("job", kGoodJob);
    CHECK(parsed.ok()) << parsed.status();
    FieldLocations locations;
    for (const std::string& text : overrides) {
      const Status status = ApplyOverride(text, parsed->job, locations);
      CHECK(status.ok()) << status;
    }
    FillDefaults(parsed->job);
    return CheckJob(parsed->job);
  }

  // "path: message" of every error, a line each.
  static std::string ErrorsOf(const std::vector<std::string>& overrides) {
    std::string text;
    for (const FieldError& error : Check(overrides)) {
      text += error.path + ": " + error.message + "\n";
    }
    return text;
  }
};

TEST_F(JobCheckTest, FindsNothingWrongWithAGoodJob) {
  EXPECT_EQ(ErrorsOf({}), "");
}

TEST_F(JobCheckTest, FindsNothingNewInTheEffectiveText) {
  StatusOr<ParsedJob> parsed = ParseJobText("job", kGoodJob);
  ASSERT_TRUE(parsed.ok());
  FillDefaults(parsed->job);

  const StatusOr<ParsedJob> again = ParseJobText("plan", JobText(parsed->job));

  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_THAT(CheckJob(again->job), IsEmpty());
}

struct BadField {
  std::vector<std::string> overrides;
  std::string expected;
};

class JobCheckErrorTest : public JobCheckTest, public ::testing::WithParamInterface<BadField> {};

TEST_P(JobCheckErrorTest, NamesFieldAndExpectation) {
  EXPECT_THAT(ErrorsOf(GetParam().overrides), HasSubstr(GetParam().expected));
}

INSTANTIATE_TEST_SUITE_P(
    Training, JobCheckErrorTest,
    ::testing::Values(
        BadField{{"name=a/b"}, "name: got \"a/b\", expected"},
        BadField{{"train_input_path=[]"}, "no train_input_path"},
        BadField{{"train_input_path[]=train.csv"}, "train_input_path[1]: \"train.csv\" stands"},
        BadField{{"sharding.num_shards=0"}, "sharding.num_shards: got 0, expected 1 to 65536"},
        BadField{{"train_config.pull_ahead_steps=1"}, "train_config.pull_ahead_steps: got 1"},
        BadField{{"train_config.max_staleness=3"}, "train_config.max_staleness: has no meaning"},
        BadField{{"train_config.max_staleness=2", "train_config.sync_replicas=false",
                  "train_config.pull_ahead_steps=3"},
                 "expected at most max_staleness, 2"},
        BadField{{"train_config.optimizer_config[1].group_ftrl_optimizer={}"},
                 "train_config.optimizer_config[1]: this optimizer is for embeddings"},
        BadField{{"train_config.optimizer_config[1].adam_optimizer.beta1=1"},
                 "train_config.optimizer_config[1].adam_optimizer.beta1: got 1, expected 0 to"},
        BadField{{"train_config.optimizer_config[0].rowwise_adagrad_optimizer.learning_rate."
                  "constant_learning_rate.learning_rate=-0.1"},
                 "learning_rate: got -0.1, expected a number above 0"},
        BadField{{"train_config.optimizer_config[0].rowwise_adagrad_optimizer.initial_accumulator_"
                  "value=nan"},
                 "initial_accumulator_value: got nan, expected a number above 0"},
        BadField{{"train_config.optimizer_config[]={}"}, "got 3 times optimizer_config"},
        BadField{{"train_config.gradient_clipping_by_norm=-1"}, "got -1, expected 0 to"},
        BadField{{"eval_config.metrics_set[0].gauc.uid_field=usr"}, "did you mean \"user\"?"}));

INSTANTIATE_TEST_SUITE_P(
    Data, JobCheckErrorTest,
    ::testing::Values(
        BadField{{"data_config.batch_size=0"}, "data_config.batch_size: got 0, expected 1 to"},
        BadField{{"data_config.max_bad_ratio=1.5"}, "max_bad_ratio: got 1.5, expected 0 to 1"},
        BadField{{"data_config.separator=\"\""}, "data_config.separator: expected at least one"},
        BadField{{"data_config.input_fields[1].default_val=none"}, "expected a number"},
        BadField{{"data_config.input_fields[2].input_name=age"}, "\"age\" stands here a second"},
        BadField{{"data_config.label_fields[0]=clik"}, "did you mean \"click\"?"},
        BadField{{"data_config.labels[0].expression=plai > 1"},
                 "data_config.labels[0].expression: character 1: got \"plai\""},
        BadField{{"data_config.labels[0].known_if=("}, "data_config.labels[0].known_if: character"},
        BadField{{"data_config.labels[0].label_name=click"}, "there is another label \"click\""},
        BadField{{"data_config.label_fields=[]", "data_config.labels[0]={}"}, "has no label_name"},
        BadField{{"data_config.sample_weight=w"}, "data_config.sample_weight: got \"w\""},
        BadField{{"data_config.time_field=t"}, "data_config.time_field: got \"t\""},
        BadField{{"data_config.scenes=[]"}, "got 0 scenes"},
        BadField{{"data_config.scenes[1]=home"}, "\"home\" stands here a second time"}));

INSTANTIATE_TEST_SUITE_P(
    Features, JobCheckErrorTest,
    ::testing::Values(
        BadField{{"feature_config.features[0].input_names[0]=usr"}, "did you mean \"user\"?"},
        BadField{{"feature_config.features[0].input_names[0]=click"},
                 "\"click\" is what label \"click\" is made of"},
        BadField{{"feature_config.features[0].input_names[0]=play"}, "label \"long\" is made of"},
        BadField{{"feature_config.features[3].feature_name=age"}, "there is another feature"},
        BadField{{"feature_config.features[0].embedding_dim=0"}, "got 0, expected 1 to 4096"},
        BadField{{"feature_config.features[0].embedding_dim=5000"}, "got 5000, expected 1 to 4096"},
        BadField{{"feature_config.features[1].embedding_dim=4"},
                 "features[1].embedding_dim: has no effect on a RawFeature without boundaries"},
        BadField{{"feature_config.features[0].normalizers[]=LOG1P"}, "no effect on a categorical"},
        BadField{{"feature_config.features[0].combiner=SUM"}, "has no effect on an IdFeature"},
        BadField{{"feature_config.features[1].normalizers[]=STANDARD"},
                 "features[1].normalizers[2]: expected LOG1P, MIN_MAX"},
        BadField{{"feature_config.features[1].min_val=3", "feature_config.features[1].max_val=3"},
                 "got 3, expected more than min_val, 3"},
        BadField{{"feature_config.features[1].mean_val=3"},
                 "no effect on a feature without STANDARD"},
        BadField{{"feature_config.features[3].boundaries[1]=18"}, "each above the one before"},
        BadField{{"feature_config.features[3].raw_input_dim=2"}, "expected 1 with boundaries"},
        BadField{{"feature_config.features[2].kv_separator=\"|\""}, "other than the separator"},
        BadField{{"feature_config.features[0].feature_type=SequenceFeature",
                  "feature_config.features[0].max_values=1001"},
                 "expected 1 to 1000"},
        BadField{{"feature_config.features[0].num_buckets=3",
                  "feature_config.features[0].hash_bucket_size=3"},
                 "expected at most one of"},
        BadField{{"feature_config.features[2].embedding_name=user",
                  "feature_config.features[2].embedding_dim=8"},
                 "got 8, expected 4 as feature \"user\""},
        BadField{{"feature_config.features[2].embedding_name=user",
                  "feature_config.features[2].hash_bucket_size=8"},
                 "expected ids made in the same way"}));

TEST_F(JobCheckTest, TakesAStreamBehindFilesThatFitIt) {
  EXPECT_THAT(Check({kStreamOverride, "train_config.sync_replicas=false"}), IsEmpty());
}

TEST_F(JobCheckTest, RefusesWhatAStreamCannotDo) {
  const std::vector<FieldError> errors =
      Check({"train_input_path=[]", kStreamOverride, "data_config.stream.start=TIME"});

  std::vector<std::string> paths;
  for (const FieldError& error : errors) {
    paths.push_back(error.path);
  }
  EXPECT_THAT(paths, ::testing::UnorderedElementsAre(
                         "data_config.stream.start", "data_config.stream.start_time",
                         "train_config.sync_replicas", "feature_config.features[1]"));
}

TEST_F(JobCheckTest, NamesWhatAStreamLacks) {
  const std::vector<FieldError> errors =
      Check({"data_config.stream={redis {address: \"\"}}", "train_config.sync_replicas=false"});

  ASSERT_EQ(errors.size(), 2U);
  EXPECT_EQ(errors[0].path, "data_config.stream.redis");
  EXPECT_THAT(errors[0].message, HasSubstr("address"));
  EXPECT_THAT(errors[1].message, HasSubstr("keys"));
}

}  // namespace
}  // namespace antiphon
