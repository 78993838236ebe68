#include "common/optim/initializer.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace antiphon {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

Initializer Normal(float mean, float deviation) {
  Initializer spec;
  spec.mutable_normal_initializer()->set_mean(mean);
  spec.mutable_normal_initializer()->set_stddev(deviation);
  return spec;
}

Initializer Uniform(float low, float high) {
  Initializer spec;
  spec.mutable_uniform_initializer()->set_minval(low);
  spec.mutable_uniform_initializer()->set_maxval(high);
  return spec;
}

std::vector<float> Draw(const Initializer& spec, uint64_t stream, size_t n, uint64_t first = 0) {
  std::vector<float> values(n);
  InitialValues::Create(spec).value().Fill(stream, first, values);
  return values;
}

TEST(InitialValuesTest, KeepsFrozenValues) {
  // A model restored next year starts its new rows with these bits: they are never edited.
  EXPECT_EQ(RowStream(1, 2, 3), 7718485432501759289ULL);
  EXPECT_EQ(BlockStream(1, 2), 9198426100319932654ULL);
  EXPECT_EQ(Draw(Normal(0, 1), 42, 3),
            (std::vector<float>{1.34988904F, 0.354933858F, 0.206325784F}));
  EXPECT_EQ(Draw(Uniform(0, 1), 42, 3),
            (std::vector<float>{0.74156487F, 0.159910381F, 0.27860111F}));
}

TEST(InitialValuesTest, DoesNotDependOnHowABlockIsCut) {
  const std::vector<float> whole = Draw(Normal(0, 1), BlockStream(9, 4), 1000);

  for (size_t cut : {1U, 64U, 333U, 999U}) {
    std::vector<float> pieces = Draw(Normal(0, 1), BlockStream(9, 4), cut);
    const std::vector<float> rest = Draw(Normal(0, 1), BlockStream(9, 4), 1000 - cut, cut);
    pieces.insert(pieces.end(), rest.begin(), rest.end());
    EXPECT_EQ(pieces, whole) << "cut at " << cut;
  }
}

TEST(InitialValuesTest, DiffersBySeedTableAndKey) {
  const std::vector<float> base = Draw(Normal(0, 1), RowStream(1, 1, 1), 8);

  EXPECT_NE(Draw(Normal(0, 1), RowStream(2, 1, 1), 8), base);
  EXPECT_NE(Draw(Normal(0, 1), RowStream(1, 2, 1), 8), base);
  EXPECT_NE(Draw(Normal(0, 1), RowStream(1, 1, 2), 8), base);
  EXPECT_NE(Draw(Normal(0, 1), BlockStream(1, 1), 8), base);
}

TEST(InitialValuesTest, NormalHasTheMomentsAndTheShapeOfANormal) {
  constexpr size_t kDraws = 400'000;
  std::vector<float> values = Draw(Normal(2, 0.5), 77, kDraws);
  double sum = 0;
  double squares = 0;
  double fourths = 0;
  for (float value : values) {
    const double z = (value - 2.0) / 0.5;
    sum += z;
    squares += z * z;
    fourths += z * z * z * z;
  }

  EXPECT_NEAR(sum / kDraws, 0, 0.008);  // five standard errors
  EXPECT_NEAR(squares / kDraws, 1, 0.012);
  EXPECT_NEAR(fourths / kDraws, 3, 0.12);

  // The largest distance between the distribution functions (Kolmogorov and Smirnov).
  std::ranges::sort(values);
  double distance = 0;
  for (size_t i = 0; i < kDraws; i += 100) {
    const double normal = 0.5 * std::erfc(-(values[i] - 2.0) / 0.5 / std::sqrt(2.0));
    distance = std::max(distance, std::abs(normal - static_cast<double>(i) / kDraws));
  }
  EXPECT_LT(distance, 0.004);
}

// One row's numbers come from one counter, the next row's from another: neither may leak.
TEST(InitialValuesTest, NeighboursAreNotCorrelated) {
  double within = 0;
  double between = 0;
  constexpr int kRows = 50'000;
  for (Key key = 0; key < kRows; ++key) {
    const std::vector<float> row = Draw(Normal(0, 1), RowStream(5, 0, key), 2);
    const std::vector<float> next = Draw(Normal(0, 1), RowStream(5, 0, key + 1), 1);
    within += row[0] * row[1];
    between += row[0] * next[0];
  }

  EXPECT_NEAR(within / kRows, 0, 0.023);
  EXPECT_NEAR(between / kRows, 0, 0.023);
}

TEST(InitialValuesTest, UniformFillsItsRange) {
  const std::vector<float> values = Draw(Uniform(-0.25, 0.75), 3, 100'000);
  const auto [low, high] = std::ranges::minmax(values);
  double sum = 0;
  for (float value : values) {
    sum += value;
  }

  EXPECT_GE(low, -0.25F);
  EXPECT_LT(low, -0.249F);
  EXPECT_LE(high, 0.75F);
  EXPECT_GT(high, 0.749F);
  EXPECT_NEAR(sum / 100'000, 0.25, 0.005);
}

TEST(InitialValuesTest, ConstantAndAbsentFill) {
  Initializer constant;
  constant.mutable_constant_initializer()->set_value(1.5);

  EXPECT_THAT(Draw(constant, 1, 5), Each(1.5F));
  EXPECT_THAT(Draw(Initializer(), 1, 5), Each(0.0F));
}

TEST(InitialValuesTest, RefusesImpossibleShapes) {
  EXPECT_THAT(InitialValues::Create(Normal(0, -1)).status().message(), HasSubstr("negative"));
  EXPECT_THAT(InitialValues::Create(Normal(NAN, 1)).status().message(), HasSubstr("mean"));
  EXPECT_THAT(InitialValues::Create(Uniform(1, 0)).status().message(), HasSubstr("below minval"));
  EXPECT_THAT(InitialValues::Create(Uniform(-3e38, 3e38)).status().message(), HasSubstr("width"));
}

TEST(InitialRowsTest, ASegmentStartsWhereItStandsInTheRow) {
  TableSpec one;
  one.set_dim(5);
  one.mutable_initializer()->mutable_normal_initializer()->set_stddev(1);
  TableSpec two;
  two.set_dim(5);
  two.add_segments()->set_dim(2);
  two.mutable_segments(0)->mutable_initializer()->mutable_constant_initializer();
  two.add_segments()->set_dim(3);
  *two.mutable_segments(1)->mutable_initializer() = one.initializer();
  const auto whole = InitialRows::Create(one);
  const auto parts = InitialRows::Create(two);
  ASSERT_TRUE(whole.ok() && parts.ok());
  std::vector<float> a(5);
  std::vector<float> b(5, 7);

  whole->Fill(RowStream(1, 2, 3), a);
  parts->Fill(RowStream(1, 2, 3), b);

  a[0] = a[1] = 0;
  EXPECT_EQ(a, b);
}

}  // namespace
}  // namespace antiphon
