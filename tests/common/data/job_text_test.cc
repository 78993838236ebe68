#include "common/data/job_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace antiphon {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string ErrorOf(std::string_view text) {
  const StatusOr<ParsedJob> parsed = ParseJobText("job", text);
  return parsed.ok() ? "" : parsed.status().message();
}

TEST(JobTextTest, ReadsAJob) {
  const StatusOr<ParsedJob> parsed =
      ParseJobText("job", "# a comment\nname: \"census\"\ndata_config { batch_size: 64 }\n");

  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->job.name(), "census");
  EXPECT_EQ(parsed->job.data_config().batch_size(), 64U);
}

TEST(JobTextTest, AcceptsByteOrderMarkAndCrLf) {
  const StatusOr<ParsedJob> parsed = ParseJobText("job", "\xEF\xBB\xBFname: \"a\"\r\nseed: 3\r\n");

  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->job.seed(), 3U);
}

TEST(JobTextTest, PointsAtAnUnknownFieldAndNamesTheNearest) {
  const std::string error = ErrorOf("name: \"a\"\ndata_config {\n  bath_size: 64\n}\n");

  EXPECT_THAT(error,
              StartsWith("job:3:3: unknown field bath_size in DataConfig, expected one of "));
  EXPECT_THAT(error, HasSubstr("did you mean \"batch_size\"?"));
}

TEST(JobTextTest, PointsAtAnUnknownEnumValueOfTheRightEnum) {
  const std::string error = ErrorOf(
      "data_config {\n  # { a brace in a comment\n  input_fields { input_name: \"}\"\n"
      "    input_type: DUBLE }\n}\n");

  EXPECT_EQ(error,
            "job:4:17: unknown value DUBLE of FieldType, expected one of STRING, INT64, DOUBLE; "
            "did you mean \"DOUBLE\"?");
}

TEST(JobTextTest, PointsAtAValueOfTheWrongType) {
  EXPECT_THAT(ErrorOf("seed: 1\ndata_config { batch_size: -4 }"), StartsWith("job:2:27: "));
  EXPECT_THAT(ErrorOf("data_config { batch_size: 10k }"), StartsWith("job:1:"));
  EXPECT_THAT(ErrorOf("name: 3"), StartsWith("job:1:7: "));
}

TEST(JobTextTest, CountsATabAsOneColumn) {
  EXPECT_THAT(ErrorOf("data_config {\n\t\tbath_size: 64\n}\n"), StartsWith("job:2:3: "));
}

TEST(JobTextTest, RefusesAFieldThatIsWrittenTwice) {
  EXPECT_THAT(ErrorOf("seed: 1\nseed: 2\n"), HasSubstr("multiple times"));
}

TEST(JobTextTest, RefusesAnEmptyFileAndBinaryOnes) {
  EXPECT_THAT(ErrorOf(""), HasSubstr("the file is empty"));
  EXPECT_THAT(ErrorOf(" \r\n\t"), HasSubstr("the file is empty"));
  EXPECT_THAT(ErrorOf(std::string_view("seed\0: 1", 8)), HasSubstr("byte 4 is 0"));
}

TEST(JobTextTest, SurvivesDeepNesting) {
  std::string text;
  for (int i = 0; i < 100000; ++i) {
    text += "data_config {";
  }

  EXPECT_FALSE(ErrorOf(text).empty());
}

}  // namespace
}  // namespace antiphon
