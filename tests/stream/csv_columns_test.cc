#include "stream/csv_columns.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace antiphon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

DataConfig Fields(const std::vector<std::string>& names, const std::string& separator = ",") {
  DataConfig data;
  for (const std::string& name : names) {
    data.add_input_fields()->set_input_name(name);
  }
  data.set_separator(separator);
  return data;
}

class CsvColumnsTest : public ::testing::Test {
 protected:
  // Splits into fields a, b, c of a file without a header.
  BadRowReason Split(std::string_view record, const std::string& separator = ",") {
    const std::vector<uint32_t> used = {0, 1, 2};
    StatusOr<CsvColumns> columns =
        CsvColumns::Create(Fields({"a", "b", "c"}, separator), used, "file", "");
    CHECK(columns.ok());
    std::vector<std::string_view> views(3);
    const BadRowReason reason = columns->Split(record, views);
    values_.assign(views.begin(), views.end());
    return reason;
  }

  std::vector<std::string> values_;
};

TEST_F(CsvColumnsTest, SplitsPlainRecords) {
  EXPECT_EQ(Split("1,,three"), BadRowReason::kNone);
  EXPECT_THAT(values_, ElementsAre("1", "", "three"));
  EXPECT_EQ(Split(",,"), BadRowReason::kNone);
  EXPECT_THAT(values_, ElementsAre("", "", ""));
}

TEST_F(CsvColumnsTest, SplitsAtSeparatorsOfSeveralCharacters) {
  EXPECT_EQ(Split("1, a,b, c", ", "), BadRowReason::kNone);
  EXPECT_THAT(values_, ElementsAre("1", "a,b", "c"));
  EXPECT_EQ(Split("1::2:::3", "::"), BadRowReason::kNone);
  EXPECT_THAT(values_, ElementsAre("1", "2", ":3"));
  EXPECT_EQ(Split("1, 2,", ", "), BadRowReason::kColumnCount);
}

TEST_F(CsvColumnsTest, TakesQuotesOff) {
  EXPECT_EQ(Split(R"("a,b","say ""hi""",c)"), BadRowReason::kNone);
  EXPECT_THAT(values_, ElementsAre("a,b", "say \"hi\"", "c"));
  EXPECT_EQ(Split(R"("","""",5" screen)"), BadRowReason::kNone);
  EXPECT_THAT(values_, ElementsAre("", "\"", "5\" screen"));
  EXPECT_EQ(Split(R"("a"x,"b" ,c)"), BadRowReason::kNone);
  EXPECT_THAT(values_, ElementsAre("ax", "b ", "c"));
}

TEST_F(CsvColumnsTest, CountsColumns) {
  for (const char* record : {"", "1", "1,2", "1,2,3,4", "\"1,2,3\"", "\"1\",2,3,4", "1,2,\"3\","}) {
    EXPECT_EQ(Split(record), BadRowReason::kColumnCount) << record;
  }
}

TEST_F(CsvColumnsTest, FollowsTheHeader) {
  DataConfig data = Fields({"a", "b", "c"});
  data.set_with_header(true);
  const std::vector<uint32_t> used = {0, 2};
  StatusOr<CsvColumns> columns = CsvColumns::Create(data, used, "file", "c,x,\"a\",y");
  ASSERT_TRUE(columns.ok()) << columns.status();
  std::vector<std::string_view> values(3);

  EXPECT_EQ(columns->Split("1,2,3,4", values), BadRowReason::kNone);

  EXPECT_THAT(values, ElementsAre("3", "", "1"));
  EXPECT_EQ(columns->Split("1,2,3", values), BadRowReason::kColumnCount);
}

TEST_F(CsvColumnsTest, NamesAColumnThatTheHeaderLacksOrHasTwice) {
  DataConfig data = Fields({"user_id", "b"});
  data.set_with_header(true);
  const std::vector<uint32_t> used = {0};

  EXPECT_THAT(CsvColumns::Create(data, used, "file", "userid,b").status().message(),
              HasSubstr("file: the header has no column \"user_id\", expected one for the input "
                        "field; did you mean \"userid\"?"));
  EXPECT_THAT(CsvColumns::Create(data, used, "file", "user_id,user_id").status().message(),
              HasSubstr("column \"user_id\" twice"));
}

}  // namespace
}  // namespace antiphon
