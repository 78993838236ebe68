#include "common/data/batch_builder.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "common/base/hash.h"

namespace antiphon {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kJob[] = R"(
  data_config {
    input_fields { input_name: "user" }
    input_fields { input_name: "age" input_type: DOUBLE default_val: "40" }
    input_fields { input_name: "tags" }
    input_fields { input_name: "vector" }
    input_fields { input_name: "click" input_type: INT64 }
    input_fields { input_name: "buy" input_type: INT64 }
    input_fields { input_name: "play" input_type: DOUBLE }
    input_fields { input_name: "weight" input_type: DOUBLE }
    input_fields { input_name: "scene" }
    input_fields { input_name: "time" input_type: INT64 }
    input_fields { input_name: "unused" input_type: INT64 }
    label_fields: ["click", "buy"]
    labels { label_name: "long" expression: "play >= 18" known_if: "click == 1" }
    sample_weight: "weight" scene_field: "scene" scenes: ["home", "live"] time_field: "time"
  }
  eval_config { metrics_set { gauc { uid_field: "user" } } }
  feature_config {
    features { input_names: "tags" feature_type: TagFeature num_buckets: 100 }
    features { input_names: "vector" feature_type: RawFeature raw_input_dim: 2 }
    features { input_names: "user" vocab_list: ["u1", "u2"] }
    features { input_names: "age" feature_type: RawFeature }
  }
)";

class BatchBuilderTest : public ::testing::Test {
 protected:
  BatchBuilderTest() {
    CHECK(google::protobuf::TextFormat::ParseFromString(kJob, &job_));
    Build();
  }

  void Build() {
    StatusOr<std::unique_ptr<BatchBuilder>> builder = BatchBuilder::Create(
        job_, std::vector<FeatureStatistics>(4),
        {.names = {"long", "click", "buy"}, .implied = {{.effect = 2, .cause = 1}}});
    CHECK(builder.ok()) << builder.status();
    builder_ = std::move(builder).value();
    builder_->Start(batch_);
  }

  // A good row with some fields changed.
  BadRowReason Add(std::vector<std::pair<size_t, std::string_view>> changes = {}) {
    std::vector<std::string_view> values = {"u1", "30",  "7|9",  "1|2",  "1", "0",
                                            "20", "0.5", "live", "1000", "x"};
    for (const auto& [field, value] : changes) {
      values[field] = value;
    }
    return builder_->AddRow(values, batch_);
  }

  Job job_;
  std::unique_ptr<BatchBuilder> builder_;
  Batch batch_;
};

TEST_F(BatchBuilderTest, FillsEveryColumnInJobOrder) {
  ASSERT_EQ(Add(), BadRowReason::kNone);
  ASSERT_EQ(Add({{0, "u9"}, {1, ""}, {2, ""}}), BadRowReason::kNone);

  EXPECT_EQ(batch_.rows, 2U);
  ASSERT_THAT(batch_.sparse, SizeIs(2));
  EXPECT_THAT(batch_.sparse[0].keys, ElementsAre(7, 9));
  EXPECT_THAT(batch_.sparse[0].offsets, ElementsAre(0, 2, 2));
  EXPECT_THAT(batch_.sparse[1].keys, ElementsAre(1));
  EXPECT_THAT(batch_.sparse[1].offsets, ElementsAre(0, 1, 1));
  EXPECT_EQ(batch_.dense_width, 3U);
  EXPECT_THAT(batch_.dense, ElementsAre(1, 2, 30, 1, 2, 40));
  EXPECT_THAT(batch_.sample_weight, ElementsAre(0.5F, 0.5F));
  EXPECT_THAT(batch_.scene, ElementsAre(1, 1));
  EXPECT_THAT(batch_.event_time_ms, ElementsAre(1'000'000, 1'000'000));
  EXPECT_THAT(batch_.user, ElementsAre(HashBytes("u1"), HashBytes("u9")));
}

TEST_F(BatchBuilderTest, ReadsOnlyTheFieldsThatItUses) {
  EXPECT_THAT(builder_->used_fields(), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
}

TEST_F(BatchBuilderTest, KnowsUnknownLabels) {
  ASSERT_EQ(Add(), BadRowReason::kNone);
  ASSERT_EQ(Add({{4, "0"}}), BadRowReason::kNone);  // long is known only after a click
  ASSERT_EQ(Add({{5, ""}, {6, "3"}}), BadRowReason::kNone);
  ASSERT_EQ(Add({{6, ""}}), BadRowReason::kNone);

  EXPECT_THAT(batch_.labels[0], ElementsAre(1, kUnknownLabel, 0, kUnknownLabel));
  EXPECT_THAT(batch_.labels[1], ElementsAre(1, 0, 1, 1));
  EXPECT_THAT(batch_.labels[2], ElementsAre(0, 0, kUnknownLabel, 0));
}

TEST_F(BatchBuilderTest, LabelIsWhatItsLossTakes) {
  job_.mutable_data_config()->add_label_fields("play");
  job_.mutable_data_config()->set_request_field("user");
  StatusOr<std::unique_ptr<BatchBuilder>> builder =
      BatchBuilder::Create(job_, std::vector<FeatureStatistics>(4),
                           {.names = {"play", "play"},
                            .ranges = {LabelRange::kAnyNumber, LabelRange::kNotNegative},
                            .implied = {}});
  ASSERT_TRUE(builder.ok()) << builder.status();
  builder_ = std::move(builder).value();
  builder_->Start(batch_);

  EXPECT_EQ(Add({{6, "17.25"}}), BadRowReason::kNone);
  EXPECT_EQ(Add({{6, ""}}), BadRowReason::kNone);
  EXPECT_EQ(Add({{6, "-1"}}), BadRowReason::kLabelOutOfRange);
  EXPECT_EQ(Add({{6, "1e39"}}), BadRowReason::kLabelOutOfRange);
  EXPECT_EQ(Add({{6, "nan"}}), BadRowReason::kLabelOutOfRange);
  EXPECT_EQ(Add({{0, ""}}), BadRowReason::kNoRequest);

  EXPECT_THAT(batch_.labels[0], ElementsAre(17.25F, kUnknownLabel));
  EXPECT_THAT(batch_.labels[1], ElementsAre(17.25F, kUnknownLabel));
  EXPECT_THAT(batch_.request, ElementsAre(HashBytes("u1"), HashBytes("u1")));
}

TEST_F(BatchBuilderTest, TakesSecondsAndMilliseconds) {
  ASSERT_EQ(Add({{9, "1650000000"}}), BadRowReason::kNone);
  ASSERT_EQ(Add({{9, "1650000000123"}}), BadRowReason::kNone);

  EXPECT_THAT(batch_.event_time_ms, ElementsAre(1650000000000, 1650000000123));
}

TEST_F(BatchBuilderTest, LeavesTheBatchAsItWasAfterABadRow) {
  ASSERT_EQ(Add(), BadRowReason::kNone);

  EXPECT_EQ(Add({{4, "2"}}), BadRowReason::kBadLabel);
  EXPECT_EQ(Add({{4, "0"}, {5, "1"}}), BadRowReason::kImpossibleLabels);
  EXPECT_EQ(Add({{6, "long"}}), BadRowReason::kBadNumber);
  EXPECT_EQ(Add({{7, "-1"}}), BadRowReason::kBadWeight);
  EXPECT_EQ(Add({{7, ""}}), BadRowReason::kBadNumber);
  EXPECT_EQ(Add({{8, "moon"}}), BadRowReason::kUnknownScene);
  EXPECT_EQ(Add({{9, "-5"}}), BadRowReason::kBadNumber);
  EXPECT_EQ(Add({{1, "nan"}}), BadRowReason::kNotFinite);
  EXPECT_EQ(Add({{3, "1"}}), BadRowReason::kValueCount);
  EXPECT_EQ(Add({{2, "7|100"}}), BadRowReason::kIdOutOfRange);

  EXPECT_EQ(batch_.rows, 1U);
  ASSERT_EQ(Add(), BadRowReason::kNone);
  EXPECT_THAT(batch_.dense, ElementsAre(1, 2, 30, 1, 2, 30));
  EXPECT_THAT(batch_.sparse[0].keys, ElementsAre(7, 9, 7, 9));
  EXPECT_THAT(batch_.sparse[0].offsets, ElementsAre(0, 2, 4));
  EXPECT_THAT(batch_.labels, Each(SizeIs(2)));
  EXPECT_THAT(batch_.sample_weight, SizeIs(2));
  EXPECT_THAT(batch_.scene, SizeIs(2));
  EXPECT_THAT(batch_.event_time_ms, SizeIs(2));
  EXPECT_THAT(batch_.user, SizeIs(2));
}

TEST_F(BatchBuilderTest, KeepsARowOfAnUnlistedSceneWhereTheJobSaysSo) {
  job_.mutable_data_config()->set_unknown_scene(DataConfig::SHARED_ONLY);
  Build();

  ASSERT_EQ(Add({{8, "moon"}}), BadRowReason::kNone);

  EXPECT_THAT(batch_.scene, ElementsAre(kUnlistedScene));
}

TEST_F(BatchBuilderTest, FindsTheFieldThatIsToBlame) {
  std::vector<std::string_view> values = {"u1", "30",  "7|9",  "1|2",  "1", "0",
                                          "20", "0.5", "live", "1000", "x"};
  const auto blamed = [&](size_t field, std::string_view value) {
    std::vector<std::string_view> changed = values;
    changed[field] = value;
    return builder_->FindBadField(changed);
  };

  EXPECT_EQ(blamed(3, "1|two"), 3U);
  EXPECT_EQ(blamed(2, "7|100"), 2U);
  EXPECT_EQ(blamed(1, "old"), 1U);
  EXPECT_EQ(blamed(8, "nowhere"), 8U);
  EXPECT_EQ(blamed(4, "yes"), std::nullopt) << "a label";
}

TEST_F(BatchBuilderTest, StartEmptiesTheBatch) {
  ASSERT_EQ(Add(), BadRowReason::kNone);

  builder_->Start(batch_);

  EXPECT_EQ(batch_.rows, 0U);
  EXPECT_THAT(batch_.dense, IsEmpty());
  EXPECT_THAT(batch_.sparse[0].offsets, ElementsAre(0));
}

TEST_F(BatchBuilderTest, NamesALabelThatDoesNotExist) {
  const Status status = BatchBuilder::Create(job_, std::vector<FeatureStatistics>(4),
                                             {.names = {"gift"}, .implied = {}})
                            .status();

  EXPECT_THAT(status.message(), HasSubstr("no label \"gift\""));
}

}  // namespace
}  // namespace antiphon
