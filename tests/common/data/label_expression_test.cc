#include "common/data/label_expression.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace antiphon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::vector<std::string> kFields = {"click", "play", "marital stat", "play time"};

Truth Evaluate(std::string_view text, const std::vector<std::string_view>& values) {
  const StatusOr<LabelExpression> expression = LabelExpression::Parse(text, kFields);
  CHECK(expression.ok()) << expression.status();
  return expression->Evaluate(values);
}

std::string ErrorOf(std::string_view text) {
  return LabelExpression::Parse(text, kFields).status().message();
}

TEST(LabelExpressionTest, ComparesNumbers) {
  const std::vector<std::string_view> row = {"1", " 17.5", "", ""};

  EXPECT_EQ(Evaluate("click == 1", row), Truth::kTrue);
  EXPECT_EQ(Evaluate("click==1.0", row), Truth::kTrue);
  EXPECT_EQ(Evaluate("click != 1", row), Truth::kFalse);
  EXPECT_EQ(Evaluate("play < 17.5", row), Truth::kFalse);
  EXPECT_EQ(Evaluate("play <= 17.5", row), Truth::kTrue);
  EXPECT_EQ(Evaluate("play > -2", row), Truth::kTrue);
  EXPECT_EQ(Evaluate("play >= 1e3", row), Truth::kFalse);
}

TEST(LabelExpressionTest, ComparesTextsOfFieldsWithBlanks) {
  const std::vector<std::string_view> row = {"", "", "Never married", ""};

  EXPECT_EQ(Evaluate(R"(marital stat == "Never married")", row), Truth::kTrue);
  EXPECT_EQ(Evaluate(R"(marital stat != "say \"no\"")", row), Truth::kTrue);
}

TEST(LabelExpressionTest, TakesTheLongestFieldName) {
  const std::vector<std::string_view> row = {"", "1", "", "2"};

  EXPECT_EQ(Evaluate("play time == 2", row), Truth::kTrue);
  EXPECT_EQ(Evaluate("play == 1", row), Truth::kTrue);
}

TEST(LabelExpressionTest, AndBindsTighterThanOr) {
  const std::vector<std::string_view> row = {"1", "0", "", "0"};

  EXPECT_EQ(Evaluate("click == 1 || play == 1 && play time == 1", row), Truth::kTrue);
  EXPECT_EQ(Evaluate("(click == 1 || play == 1) && play time == 1", row), Truth::kFalse);
}

TEST(LabelExpressionTest, IsUnknownOnlyWhereAnEmptyNumberDecides) {
  const std::vector<std::string_view> row = {"", "0", "", "1"};

  EXPECT_EQ(Evaluate("click == 1", row), Truth::kUnknown);
  EXPECT_EQ(Evaluate("click == 1 && play == 1", row), Truth::kFalse);
  EXPECT_EQ(Evaluate("click == 1 && play == 0", row), Truth::kUnknown);
  EXPECT_EQ(Evaluate("play time == 1 || click == 1", row), Truth::kTrue);
  EXPECT_EQ(Evaluate("play == 1 || click == 1", row), Truth::kUnknown);
}

TEST(LabelExpressionTest, ReportsABadNumberWhateverTheRestSays) {
  const std::vector<std::string_view> row = {"yes", "0", "", "nan"};

  EXPECT_EQ(Evaluate("click == 1", row), Truth::kBadNumber);
  EXPECT_EQ(Evaluate("play == 1 && click == 1", row), Truth::kBadNumber);
  EXPECT_EQ(Evaluate("play time > 0", row), Truth::kBadNumber);
}

TEST(LabelExpressionTest, ListsTheFieldsItReads) {
  const StatusOr<LabelExpression> expression =
      LabelExpression::Parse("play time > 1 && click == 1 || click == 2", kFields);

  ASSERT_TRUE(expression.ok());
  EXPECT_THAT(expression->Fields(), ElementsAre(0, 3));
}

TEST(LabelExpressionTest, SaysWhereAndWhatIsWrong) {
  EXPECT_THAT(ErrorOf(""), HasSubstr("character 1: got the end, expected an input field"));
  EXPECT_THAT(ErrorOf("clik == 1"), HasSubstr("did you mean \"click\"?"));
  EXPECT_THAT(ErrorOf("click = 1"),
              HasSubstr("\"click\", expected an input field and a comparison"));
  EXPECT_THAT(ErrorOf("click == one"), HasSubstr("character 10: got \"one\", expected a number"));
  EXPECT_THAT(ErrorOf("click == 1 play == 2"), HasSubstr("expected &&, || or the end"));
  EXPECT_THAT(ErrorOf("(click == 1"), HasSubstr("expected )"));
  EXPECT_THAT(ErrorOf("marital stat < \"a\""), HasSubstr("texts are compared with == and !="));
  EXPECT_THAT(ErrorOf("marital stat == \"a"), HasSubstr("expected a closing quote"));
  EXPECT_THAT(ErrorOf("click == nan"), HasSubstr("expected a number"));
  EXPECT_THAT(ErrorOf(std::string(1000, '(')), HasSubstr("fewer brackets"));
}

}  // namespace
}  // namespace antiphon
