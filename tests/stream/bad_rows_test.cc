#include "stream/bad_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/memory_file_system.h"

namespace antiphon {
namespace {

using ::testing::HasSubstr;

class BadRowsTest : public ::testing::Test {
 protected:
  static BadRow Row(BadRowReason reason) {
    return {.reason = reason, .path = "train.csv", .record = 16, .text = "a,b"};
  }

  MemoryFileSystem fs_;
};

TEST_F(BadRowsTest, WaitsForAThousandRowsBeforeItStops) {
  BadRows rows({.max_bad_ratio = 0.01, .side_path = ""}, fs_);
  rows.AddGood(900);
  for (int i = 0; i < 99; ++i) {
    ASSERT_TRUE(rows.AddBad(Row(BadRowReason::kBadNumber)).ok()) << i;
  }

  const Status status = rows.AddBad(Row(BadRowReason::kColumnCount));

  EXPECT_EQ(status.code(), StatusCode::kDataLoss);
  EXPECT_EQ(status.message(),
            "100 of 1000 rows are bad, 10 %, expected at most data_config.max_bad_ratio, 1 %: "
            "1 wrong number of columns, 99 not a number");
}

TEST_F(BadRowsTest, TestsAShortJobAtItsEnd) {
  BadRows rows({.max_bad_ratio = 0.5, .side_path = ""}, fs_);
  rows.AddGood(1);
  ASSERT_TRUE(rows.AddBad(Row(BadRowReason::kBadLabel)).ok());
  EXPECT_TRUE(rows.CheckAtEnd().ok());

  ASSERT_TRUE(rows.AddBad(Row(BadRowReason::kBadLabel)).ok());

  EXPECT_FALSE(rows.CheckAtEnd().ok());
}

TEST_F(BadRowsTest, KeepsRowsAsideOnce) {
  BadRows rows({.max_bad_ratio = 1, .side_path = "/bad.txt"}, fs_);
  ASSERT_TRUE(rows.AddBad(Row(BadRowReason::kBadLabel)).ok());
  BadRow repeat = Row(BadRowReason::kBadLabel);
  repeat.is_repeat = true;
  ASSERT_TRUE(rows.AddBad(repeat).ok());

  EXPECT_EQ(rows.count(BadRowReason::kBadLabel), 2U);
  EXPECT_EQ(*ReadWholeFile(fs_, "/bad.txt", 1000), "label not 0 or 1\ttrain.csv:17\ta,b\n");
}

TEST_F(BadRowsTest, SaysWhenTheSideFileCannotBeWritten) {
  fs_.FailAt(MemoryFileSystem::Operation::kWrite, 1);
  BadRows rows({.max_bad_ratio = 1, .side_path = "/bad.txt"}, fs_);

  EXPECT_THAT(rows.AddBad(Row(BadRowReason::kBadLabel)).message(), HasSubstr("/bad.txt: "));
}

TEST_F(BadRowsTest, HandsOutWhatIsNew) {
  BadRows rows({.max_bad_ratio = 1, .side_path = ""}, fs_);
  rows.AddGood(5);
  ASSERT_TRUE(rows.AddBad(Row(BadRowReason::kBadLabel)).ok());
  MetricsDelta first;
  rows.TakeCounts(first);
  rows.AddGood(2);
  MetricsDelta second;
  rows.TakeCounts(second);

  EXPECT_EQ(first.samples(), 6U);
  EXPECT_EQ(first.bad_rows(), 1U);
  ASSERT_EQ(first.bad_row_reasons_size(), 1);
  EXPECT_EQ(first.bad_row_reasons(0).reason(), "label not 0 or 1");
  EXPECT_EQ(second.samples(), 2U);
  EXPECT_EQ(second.bad_rows(), 0U);
}

}  // namespace
}  // namespace antiphon
