// What of a feature is told to servers, and that a server which would make other ids or numbers of
// the same text is found out.

#include "serving/feature_description.h"

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/data/job_text.h"

namespace antiphon {
namespace {

using ::testing::HasSubstr;

constexpr char kJob[] = R"(
train_config {
  optimizer_config { rowwise_adagrad_optimizer { } }
  optimizer_config { adam_optimizer { } }
}
data_config {
  input_fields { input_name: "user" default_val: "nobody" }
  input_fields { input_name: "item" }
  input_fields { input_name: "colour" }
  input_fields { input_name: "word" }
  input_fields { input_name: "age" input_type: DOUBLE }
  input_fields { input_name: "tags" }
  input_fields { input_name: "price" input_type: DOUBLE }
  input_fields { input_name: "place" }
}
feature_config {
  features { input_names: "user" embedding_dim: 4 }
  features { input_names: "item" embedding_dim: 4 hash_bucket_size: 1000 }
  features { input_names: "colour" embedding_dim: 4 vocab_list: ["red", "green"] }
  features { input_names: "word" embedding_dim: 4 vocab_from_data: true }
  features { input_names: "age" feature_type: RawFeature embedding_dim: 4 boundaries: [18, 30] }
  features { input_names: "tags" feature_type: TagFeature embedding_dim: 4 kv_separator: ":" }
  features { input_names: "price" feature_type: RawFeature normalizers: [LOG1P, STANDARD] }
  features { input_names: "place" feature_type: RawFeature raw_input_dim: 2 normalizers: MIN_MAX
             min_val: 0 max_val: 10 }
}
model_config {
  model_class: "SharedBottom"
  feature_groups {
    group_name: "all"
    feature_names: ["user", "item", "colour", "word", "age", "tags", "price", "place"]
  }
  shared_bottom {
    bottom_dnn { hidden_units: 4 }
    task_towers { tower_name: "click" label_name: "click" dnn { hidden_units: 4 } }
  }
}
)";

class FeatureDescriptionTest : public ::testing::Test {
 protected:
  FeatureDescriptionTest() {
    job_ = ParseJobText("job", kJob).value().job;
    for (const FeatureConfig& feature : job_.feature_config().features()) {
      plan_.add_features()->set_feature_name(feature.input_names(0));
    }
    Statistics("word").add_vocabulary("one");
    Statistics("word").add_vocabulary("two");
    Statistics("price").add_mean_val(3);
    Statistics("price").add_stddev_val(2);
  }

  FeatureConfig& Feature(const std::string& name) {
    return *std::ranges::find_if(
        *job_.mutable_feature_config()->mutable_features(),
        [&name](const FeatureConfig& feature) { return feature.input_names(0) == name; });
  }
  FeatureStatistics& Statistics(const std::string& name) {
    return *std::ranges::find(*plan_.mutable_features(), name, &FeatureStatistics::feature_name);
  }

  std::vector<ServedFeature> Describe() {
    StatusOr<std::vector<ServedFeature>> described = DescribeFeatures(job_, plan_);
    EXPECT_TRUE(described.ok()) << described.status();
    return *std::move(described);
  }

  // After `change` the feature is not what training had: the error says so and what differs.
  void ExpectSkew(const std::string& feature, const std::string& what,
                  const std::function<void()>& change) {
    const Job job = job_;
    const TrainingPlan plan = plan_;
    const std::vector<ServedFeature> trained = Describe();
    EXPECT_TRUE(CheckSameTransforms(trained, Describe()).ok());
    change();
    const std::vector<ServedFeature> others = Describe();
    const Status status = CheckSameTransforms(trained, others);
    EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition) << feature << ", " << what;
    EXPECT_THAT(status.message(), HasSubstr("feature \"" + feature + "\""));
    EXPECT_THAT(status.message(), HasSubstr(what));
    EXPECT_NE(TransformDigest(trained), TransformDigest(others));
    job_ = job;
    plan_ = plan;
  }

  Job job_;
  TrainingPlan plan_;
};

TEST_F(FeatureDescriptionTest, AnotherVocabularyIsFoundOut) {
  ExpectSkew("colour", "its vocabulary (2 entries against 3)",
             [this] { Feature("colour").add_vocab_list("blue"); });
  ExpectSkew("colour", "its vocabulary (2 entries against 2)", [this] {
    Feature("colour").set_vocab_list(0, "green");
    Feature("colour").set_vocab_list(1, "red");
  });
  ExpectSkew("word", "its vocabulary (2 entries against 3)",
             [this] { Statistics("word").add_vocabulary("three"); });
  ExpectSkew("word", "its vocabulary (2 entries against 3)",
             [this] { Statistics("word").add_vocabulary("\xff is no UTF-8"); });
}

TEST_F(FeatureDescriptionTest, AnotherNormalizerIsFoundOut) {
  const std::string what = "its normalizer";
  ExpectSkew("price", what, [this] { Statistics("price").set_mean_val(0, 3.5); });
  ExpectSkew("price", what, [this] { Statistics("price").set_stddev_val(0, 2.5); });
  ExpectSkew("price", what, [this] { Feature("price").set_normalizers(1, FeatureConfig::LOG1P); });
  ExpectSkew("place", what, [this] { Feature("place").set_max_val(11); });
  ExpectSkew("place", what, [this] { Feature("place").set_min_val(-1); });
  ExpectSkew("place", what, [this] { Feature("place").clear_normalizers(); });
}

TEST_F(FeatureDescriptionTest, OtherIdsAreFoundOut) {
  const std::string what = "how its ids are made";
  ExpectSkew("item", what, [this] { Feature("item").set_hash_bucket_size(1001); });
  ExpectSkew("item", what, [this] { Feature("item").clear_hash_bucket_size(); });
  ExpectSkew("user", what, [this] { Feature("user").set_num_buckets(1000); });
  ExpectSkew("user", what, [this] { Feature("user").set_embedding_name("people"); });
  ExpectSkew("age", what, [this] { Feature("age").set_boundaries(1, 31); });
  ExpectSkew("age", what, [this] { Feature("age").add_boundaries(60); });
}

TEST_F(FeatureDescriptionTest, ATextThatIsReadOtherwiseIsFoundOut) {
  const std::string what = "how its text is read";
  ExpectSkew("user", what, [this] {
    job_.mutable_data_config()->mutable_input_fields(0)->set_default_val("anybody");
  });
  ExpectSkew("user", what,
             [this] { job_.mutable_data_config()->mutable_input_fields(0)->clear_default_val(); });
  ExpectSkew("user", what, [this] {
    Feature("user").set_feature_name("user");
    Feature("user").set_input_names(0, "item");
  });
  ExpectSkew("tags", what, [this] { Feature("tags").set_separator(";"); });
  ExpectSkew("tags", what, [this] { Feature("tags").set_kv_separator("="); });
  ExpectSkew("tags", what, [this] { Feature("tags").clear_kv_separator(); });
  ExpectSkew("tags", what, [this] { Feature("tags").set_max_values(3); });
  ExpectSkew("place", what, [this] { Feature("place").set_separator(" "); });
}

TEST_F(FeatureDescriptionTest, AFeatureThatIsMissingOrNewIsFoundOut) {
  const std::vector<ServedFeature> trained = Describe();
  std::vector<ServedFeature> fewer = trained;
  fewer.pop_back();

  EXPECT_THAT(CheckSameTransforms(trained, fewer).message(),
              HasSubstr("\"place\" was trained and is not here"));
  EXPECT_THAT(CheckSameTransforms(fewer, trained).message(),
              HasSubstr("there are 8 features, training had 7"));
}

TEST_F(FeatureDescriptionTest, AVocabularyThatIsNoUtf8IsToldInBytes) {
  struct Case {
    const char* entry;
    bool is_text;
  };
  for (const auto& [entry, is_text] : std::vector<Case>{{"caf\xc3\xa9", true},
                                                        {"\xe2\x82\xac", true},
                                                        {"\xf0\x9f\x98\x80", true},
                                                        {"\xf4\x8f\xbf\xbf", true},
                                                        {"\xc3", false},
                                                        {"\xc3x", false},
                                                        {"\xc0\xaf", false},
                                                        {"\xe0\x9f\xbf", false},
                                                        {"\xed\xa0\x80", false},
                                                        {"\xf4\x90\x80\x80", false},
                                                        {"\xff", false}}) {
    Statistics("word").set_vocabulary(1, entry);

    const ServedFeature word = Describe()[3];

    EXPECT_EQ(word.vocabulary_size(), is_text ? 2 : 0) << entry;
    EXPECT_EQ(word.vocabulary_bytes_size(), is_text ? 0 : 2) << entry;
  }
}

// What others read is the description itself, not its digest.
TEST_F(FeatureDescriptionTest, ADescriptionThatIsNotWhatItsDigestSaysIsFoundOut) {
  const std::vector<ServedFeature> trained = Describe();
  std::vector<ServedFeature> edited = trained;
  edited[2].set_vocabulary(1, "blue");

  const Status status = CheckSameTransforms(trained, edited);

  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("feature \"colour\""));
  EXPECT_THAT(status.message(), HasSubstr("its vocabulary"));
}

TEST_F(FeatureDescriptionTest, WhereAModelReadsAFeatureIsNoDifference) {
  const std::vector<ServedFeature> trained = Describe();
  Feature("user").set_embedding_dim(8);

  EXPECT_TRUE(CheckSameTransforms(trained, Describe()).ok());
}

}  // namespace
}  // namespace antiphon
