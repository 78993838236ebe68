#include "common/base/text_table.h"

#include <limits>

#include <gtest/gtest.h>

namespace antiphon {
namespace {

TEST(TextTableTest, AlignsNamesLeftAndNumbersRight) {
  TextTable table({"TASK", "SCENE", "AUC"}, 2);
  table.AddRow({"click", "", "0.7"});
  table.AddRow({"a", "home page", "0.7512"});

  EXPECT_EQ(table.ToString(),
            "TASK   SCENE         AUC\n"
            "click  -             0.7\n"
            "a      home page  0.7512\n");
}

TEST(TextTableTest, LeavesNoBlanksAtTheEndOfALine) {
  TextTable table({"A", "B"}, 2);
  table.AddRow({"x", "long"});
  EXPECT_FALSE(table.empty());
  EXPECT_EQ(table.ToString(), "A  B\nx  long\n");
}

TEST(TextTableTest, ShowsWhatIsNoNumberAsADash) {
  EXPECT_EQ(FormatFixed(std::numeric_limits<double>::quiet_NaN(), 4), "-");
  EXPECT_EQ(FormatFixed(0.25, 3), "0.250");
}

}  // namespace
}  // namespace antiphon
