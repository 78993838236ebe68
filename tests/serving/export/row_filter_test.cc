#include "serving/export/row_filter.h"

#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace antiphon {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kSnapshotSeconds = 1'700'000'000;
constexpr uint32_t kHalfLife = 3600;

// Table 0 has scores of shows + 10 clicks, table 1 forgets by age alone, table 2 never forgets.
SnapshotManifest ThreeTables() {
  SnapshotManifest manifest;
  manifest.set_created_seconds(kSnapshotSeconds);
  ParameterSchema& schema = *manifest.mutable_plan()->mutable_schema();
  Eviction& eviction = *schema.add_tables()->mutable_row_policy()->mutable_eviction();
  eviction.set_click_weight(10);
  eviction.set_half_life_seconds(kHalfLife);
  schema.add_tables()->mutable_row_policy()->mutable_eviction()->set_ttl_seconds(60);
  schema.add_tables();
  return manifest;
}

RowHistory Row(uint32_t seconds_ago, ApproximateCount shows, ApproximateCount clicks) {
  return {.last_seen = RowSecondsFromUnix(kSnapshotSeconds) - seconds_ago,
          .shows = shows,
          .clicks = clicks};
}

TEST(RowFilterTest, LeavesOutWhatIsWorthLessThanTheLimitWhenTheSnapshotIsMade) {
  const RowFilter filter = RowFilter::Create(ThreeTables(), 5).value();

  EXPECT_TRUE(filter.Serves(0, Row(0, 5, 0)));
  EXPECT_FALSE(filter.Serves(0, Row(0, 4, 0)));
  EXPECT_TRUE(filter.Serves(0, Row(kHalfLife, 0, 1))) << "half of ten";
  EXPECT_FALSE(filter.Serves(0, Row(kHalfLife + 60, 0, 1)));
  EXPECT_FALSE(filter.Serves(0, RowHistory())) << "never trained";
}

TEST(RowFilterTest, TakesTheDefaultsOfAPolicyThatGivesNoWeights) {
  const RowFilter filter = RowFilter::Create(ThreeTables(), 5).value();

  EXPECT_TRUE(filter.Serves(1, Row(0, 3, 2)));
  EXPECT_FALSE(filter.Serves(1, Row(0, 3, 1)));
}

TEST(RowFilterTest, ServesEveryRowOfATableWithoutScores) {
  const RowFilter filter = RowFilter::Create(ThreeTables(), 1e9).value();

  EXPECT_TRUE(filter.HasScores(0));
  EXPECT_FALSE(filter.HasScores(2));
  EXPECT_TRUE(filter.Serves(2, RowHistory()));
}

TEST(RowFilterTest, WithoutALimitEveryRowIsServed) {
  EXPECT_TRUE(RowFilter::Create(ThreeTables(), 0)->Serves(0, RowHistory()));
}

TEST(RowFilterTest, RefusesALimitThatNoRowCouldBeComparedWith) {
  for (const double limit : {-1.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
    EXPECT_EQ(RowFilter::Create(ThreeTables(), limit).status().code(),
              StatusCode::kInvalidArgument);
  }
  SnapshotManifest unscored;
  unscored.mutable_plan()->mutable_schema()->add_tables();

  const Status refused = RowFilter::Create(unscored, 2).status();

  EXPECT_EQ(refused.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(refused.message(), HasSubstr("no feature of its job has a row_policy"));
  EXPECT_TRUE(RowFilter::Create(unscored, 0).ok());
}

}  // namespace
}  // namespace antiphon
