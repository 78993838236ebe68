#include "common/base/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace antiphon {
namespace {

using ::testing::ElementsAre;

TEST(TextTest, SplitsBySeparatorsOfAnyLength) {
  EXPECT_THAT(Split("a, b, ,c", ", "), ElementsAre("a", "b", ",c"));
  EXPECT_THAT(Split("", ","), ElementsAre(""));
  EXPECT_THAT(Split(",", ","), ElementsAre("", ""));
  EXPECT_THAT(Split("aaa", "aa"), ElementsAre("", "a"));
}

TEST(TextTest, TrimsBlanksOnBothSides) {
  EXPECT_EQ(Trim(" \t a b\r\n"), "a b");
  EXPECT_EQ(Trim(" \t"), "");
  EXPECT_EQ(Trim(""), "");
}

TEST(TextTest, JoinsWithSeparator) {
  const std::vector<std::string> pieces = {"a", "", "b"};
  EXPECT_EQ(Join(pieces, ", "), "a, , b");
  EXPECT_EQ(Join({}, ","), "");
}

TEST(TextTest, ParsesIntegersOnlyWhenNothingIsLeftOver) {
  EXPECT_EQ(ParseInt("-42"), -42);
  EXPECT_EQ(ParseInt("+7"), 7);
  EXPECT_EQ(ParseInt("9223372036854775807"), INT64_MAX);
  EXPECT_EQ(ParseUint("18446744073709551615"), UINT64_MAX);
  for (const char* bad : {"", "+", "-", "1 ", " 1", "1.0", "0x1", "+-1", "9223372036854775808"}) {
    EXPECT_EQ(ParseInt(bad), std::nullopt) << bad;
  }
  EXPECT_EQ(ParseUint("-1"), std::nullopt);
}

TEST(TextTest, ParsesFiniteFloatsOnly) {
  EXPECT_EQ(ParseFloat("1.5e3"), 1500.0);
  EXPECT_EQ(ParseFloat("-.5"), -0.5);
  EXPECT_EQ(ParseFloat("+2"), 2.0);
  for (const char* bad : {"", "nan", "inf", "-inf", "1e999", "1,5", "1.5f", "1.5 "}) {
    EXPECT_EQ(ParseFloat(bad), std::nullopt) << bad;
  }
}

TEST(TextTest, FindsTheNameThatWasMeant) {
  const std::vector<std::string> names = {"batch_size", "num_epochs", "shuffle"};
  EXPECT_EQ(NearestName("batchsize", names), "batch_size");
  EXPECT_EQ(NearestName("shufle", names), "shuffle");
  EXPECT_EQ(NearestName("num_epoch", names), "num_epochs");
  EXPECT_EQ(NearestName("learning_rate", names), "");
  EXPECT_EQ(NearestName("", names), "");
  EXPECT_EQ(NearestName("x", {}), "");
}

TEST(TextTest, FormatsForPeople) {
  EXPECT_EQ(FormatBytes(0), "0 B");
  EXPECT_EQ(FormatBytes(1023), "1023 B");
  EXPECT_EQ(FormatBytes(1536), "1.5 KiB");
  EXPECT_EQ(FormatBytes((1 << 20) - 1), "1.0 MiB");
  EXPECT_EQ(FormatBytes(UINT64_MAX), "16.0 EiB");
  EXPECT_EQ(FormatCount(999), "999");
  EXPECT_EQ(FormatCount(0.5), "0.5");
  EXPECT_EQ(FormatCount(12'000), "12.0 k");
  EXPECT_EQ(FormatCount(999'999), "1.0 M");
  EXPECT_EQ(FormatSeconds(0.000'120), "120 us");
  EXPECT_EQ(FormatSeconds(0.25), "250 ms");
  EXPECT_EQ(FormatSeconds(12.34), "12.3 s");
  EXPECT_EQ(FormatSeconds(200), "3m 20s");
  EXPECT_EQ(FormatSeconds(3 * 3600 + 61), "3h 1m");
  EXPECT_EQ(FormatSeconds(90000), "1d 1h");
}

}  // namespace
}  // namespace antiphon
