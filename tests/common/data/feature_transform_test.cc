#include "common/data/feature_transform.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "common/base/hash.h"

namespace antiphon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

template <typename Message>
Message Parse(const std::string& text) {
  Message message;
  CHECK(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

FeatureTransform Make(const std::string& config, const std::string& statistics = "") {
  StatusOr<FeatureTransform> transform =
      FeatureTransform::Create(Parse<FeatureConfig>(config), Parse<FeatureStatistics>(statistics));
  CHECK(transform.ok()) << transform.status();
  return std::move(transform).value();
}

std::vector<Key> Keys(const FeatureTransform& transform, std::string_view value) {
  SparseColumn column;
  EXPECT_EQ(transform.AppendKeys(value, column), BadRowReason::kNone) << value;
  return column.keys;
}

BadRowReason KeyError(const FeatureTransform& transform, std::string_view value) {
  SparseColumn column;
  return transform.AppendKeys(value, column);
}

std::vector<float> Numbers(const FeatureTransform& transform, std::string_view value) {
  std::vector<float> out(transform.width());
  EXPECT_EQ(transform.WriteNumbers(value, out.data()), BadRowReason::kNone) << value;
  return out;
}

BadRowReason NumberError(const FeatureTransform& transform, std::string_view value) {
  std::vector<float> out(transform.width());
  return transform.WriteNumbers(value, out.data());
}

TEST(FeatureTransformTest, HashesTableNameAndValue) {
  const FeatureTransform own = Make("input_names: 'user'");
  const FeatureTransform shared = Make("input_names: 'friend' embedding_name: 'user'");
  const FeatureTransform other = Make("input_names: 'friend'");

  EXPECT_THAT(Keys(own, "u1"), ElementsAre(FeatureHash("user", "u1")));
  EXPECT_EQ(Keys(shared, "u1"), Keys(own, "u1"));
  EXPECT_NE(Keys(other, "u1"), Keys(own, "u1"));
}

TEST(FeatureTransformTest, HashesIntoBuckets) {
  const FeatureTransform transform = Make("input_names: 'user' hash_bucket_size: 10");

  EXPECT_THAT(Keys(transform, "u1"), ElementsAre(FeatureHash("user", "u1") % 10));
}

TEST(FeatureTransformTest, TakesTheValueAsIdWithinBuckets) {
  const FeatureTransform transform = Make("input_names: 'day' num_buckets: 7");

  EXPECT_THAT(Keys(transform, "0"), ElementsAre(0));
  EXPECT_THAT(Keys(transform, " 6"), ElementsAre(6));
  EXPECT_EQ(KeyError(transform, "7"), BadRowReason::kIdOutOfRange);
  EXPECT_EQ(KeyError(transform, "-1"), BadRowReason::kIdOutOfRange);
  EXPECT_EQ(KeyError(transform, "18446744073709551616"), BadRowReason::kBadNumber);
  EXPECT_EQ(KeyError(transform, "1x"), BadRowReason::kBadNumber);
}

TEST(FeatureTransformTest, ReadsNoRowForAValueOutsideTheVocabulary) {
  const FeatureTransform listed = Make("input_names: 'c' vocab_list: 'red' vocab_list: 'blue'");
  const FeatureTransform fitted =
      Make("input_names: 'c' vocab_from_data: true", "vocabulary: 'x' vocabulary: 'y'");

  EXPECT_THAT(Keys(listed, "red"), ElementsAre(1));
  EXPECT_THAT(Keys(listed, "blue"), ElementsAre(2));
  EXPECT_THAT(Keys(listed, "green"), IsEmpty());
  EXPECT_THAT(Keys(fitted, "y"), ElementsAre(2));
  EXPECT_THAT(Keys(fitted, ""), IsEmpty());
}

TEST(FeatureTransformTest, CutsNumbersAtBoundaries) {
  const FeatureTransform transform =
      Make("input_names: 'age' feature_type: RawFeature boundaries: [18, 30]");

  EXPECT_THAT(Keys(transform, "17.9"), ElementsAre(0));
  EXPECT_THAT(Keys(transform, "18"), ElementsAre(1));
  EXPECT_THAT(Keys(transform, "30"), ElementsAre(2));
  EXPECT_EQ(KeyError(transform, "old"), BadRowReason::kBadNumber);
}

TEST(FeatureTransformTest, SplitsTagsAndPassesOverEmptyOnes) {
  const FeatureTransform transform =
      Make("input_names: 't' feature_type: TagFeature num_buckets: 10 separator: ', '");

  EXPECT_THAT(Keys(transform, "1, , 3, 2, "), ElementsAre(1, 3, 2));
  EXPECT_THAT(Keys(transform, ""), IsEmpty());
}

TEST(FeatureTransformTest, KeepsTheNewestOfASequence) {
  const FeatureTransform transform =
      Make("input_names: 't' feature_type: SequenceFeature num_buckets: 10 max_values: 3");

  EXPECT_THAT(Keys(transform, "5|4|3|2|1"), ElementsAre(3, 2, 1));
  EXPECT_THAT(Keys(transform, "5|5"), ElementsAre(5, 5));
  EXPECT_THAT(Keys(transform, ""), IsEmpty());
  EXPECT_EQ(KeyError(transform, "1|2|x"), BadRowReason::kBadNumber);
}

TEST(FeatureTransformTest, WeighsTags) {
  const FeatureTransform transform = Make(
      "input_names: 't' feature_type: TagFeature vocab_list: 'a' vocab_list: 'b:c' "
      "kv_separator: ':'");
  SparseColumn column;

  ASSERT_EQ(transform.AppendKeys("a:0.5|unseen:9|b:c:2|a", column), BadRowReason::kNone);

  EXPECT_THAT(column.keys, ElementsAre(1, 2, 1));
  EXPECT_THAT(column.weights, ElementsAre(0.5F, 2.0F, 1.0F));
}

TEST(FeatureTransformTest, RefusesTooManyTagsAndBadWeights) {
  const FeatureTransform transform =
      Make("input_names: 't' feature_type: TagFeature kv_separator: ':' max_values: 2");

  EXPECT_EQ(KeyError(transform, "a|b|c"), BadRowReason::kTooManyValues);
  EXPECT_EQ(KeyError(transform, "a:x"), BadRowReason::kBadNumber);
  EXPECT_EQ(KeyError(transform, "a:"), BadRowReason::kBadNumber);
  EXPECT_EQ(KeyError(transform, "a:inf"), BadRowReason::kNotFinite);
}

TEST(FeatureTransformTest, NormalizesNumbersInOrder) {
  const std::string raw = "input_names: 'x' feature_type: RawFeature ";

  EXPECT_THAT(Numbers(Make(raw), "-2.5"), ElementsAre(-2.5F));
  EXPECT_THAT(Numbers(Make(raw + "normalizers: LOG1P"), "-3"), ElementsAre(0.0F));
  EXPECT_THAT(Numbers(Make(raw + "normalizers: LOG1P"), "7"), ElementsAre(std::log1p(7.0F)));
  const FeatureTransform range =
      Make(raw + "normalizers: MIN_MAX min_val: 10", "max_val: 20 min_val: 0");
  EXPECT_THAT(Numbers(range, "15"), ElementsAre(0.5F));
  EXPECT_THAT(Numbers(range, "99"), ElementsAre(1.0F));
  EXPECT_THAT(Numbers(range, "-99"), ElementsAre(0.0F));
  EXPECT_THAT(Numbers(Make(raw + "normalizers: STANDARD", "mean_val: 4 stddev_val: 2"), "7"),
              ElementsAre(1.5F));
  EXPECT_THAT(Numbers(Make(raw + "normalizers: [LOG1P, MIN_MAX]", "min_val: 0 max_val: 2"), "0"),
              ElementsAre(0.0F));
}

TEST(FeatureTransformTest, GivesZeroForAColumnThatNeverChanges) {
  const std::string raw = "input_names: 'x' feature_type: RawFeature ";

  EXPECT_THAT(Numbers(Make(raw + "normalizers: MIN_MAX", "min_val: 3 max_val: 3"), "3"),
              ElementsAre(0.0F));
  EXPECT_THAT(Numbers(Make(raw + "normalizers: STANDARD", "mean_val: 3 stddev_val: 0"), "4"),
              ElementsAre(0.0F));
}

TEST(FeatureTransformTest, ReadsVectorsOfTheRightLength) {
  const FeatureTransform transform =
      Make("input_names: 'v' feature_type: RawFeature raw_input_dim: 3 separator: ' '");

  EXPECT_THAT(Numbers(transform, "1 -2 3e1"), ElementsAre(1.0F, -2.0F, 30.0F));
  EXPECT_EQ(NumberError(transform, "1 2"), BadRowReason::kValueCount);
  EXPECT_EQ(NumberError(transform, "1 2 3 4"), BadRowReason::kValueCount);
  EXPECT_EQ(NumberError(transform, "1 x 3"), BadRowReason::kBadNumber);
}

TEST(FeatureTransformTest, RefusesWhatIsNoFiniteNumber) {
  const FeatureTransform transform = Make("input_names: 'x' feature_type: RawFeature");

  for (const char* text : {"", "x", "10k", "1 2", "0x10", "--1", "+-1", "1e", "."}) {
    EXPECT_EQ(NumberError(transform, text), BadRowReason::kBadNumber) << text;
  }
  for (const char* text : {"nan", "inf", "-Infinity", "1e999", "1e39"}) {
    EXPECT_EQ(NumberError(transform, text), BadRowReason::kNotFinite) << text;
  }
  EXPECT_THAT(Numbers(transform, " +1.5 "), ElementsAre(1.5F));
  EXPECT_THAT(Numbers(transform, "0123456789012345"), ElementsAre(123456789012345.0F));
}

TEST(FeatureTransformTest, SaysWhenThePlanLacksStatistics) {
  const StatusOr<FeatureTransform> transform = FeatureTransform::Create(
      Parse<FeatureConfig>("input_names: 'x' feature_type: RawFeature normalizers: MIN_MAX"),
      FeatureStatistics());

  EXPECT_THAT(transform.status().message(),
              HasSubstr("feature \"x\": the plan has statistics of 0"));
}

}  // namespace
}  // namespace antiphon
