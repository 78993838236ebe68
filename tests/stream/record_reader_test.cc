#include "stream/record_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/stream/packed_text.h"
#include "tests/support/memory_file_system.h"

namespace antiphon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RecordReaderTest : public ::testing::Test {
 protected:
  std::unique_ptr<RecordReader> Open(std::string_view text, Header header = Header::kAbsent,
                                     const std::string& separator = ",") {
    WriteFile(fs_, "/data", text);
    StatusOr<std::unique_ptr<RecordReader>> reader =
        RecordReader::Open(fs_, "/data", {.separator = separator, .header = header});
    CHECK(reader.ok()) << reader.status();
    return std::move(reader).value();
  }

  // Every record; a bad one as "!reason".
  static std::vector<std::string> ReadAll(RecordReader& reader) {
    std::vector<std::string> records;
    Record record;
    while (true) {
      const StatusOr<bool> is_there = reader.Next(record);
      CHECK(is_there.ok()) << is_there.status();
      if (!*is_there) {
        return records;
      }
      records.push_back(record.reason == BadRowReason::kNone
                            ? std::string(record.text)
                            : "!" + std::string(BadRowReasonText(record.reason)));
    }
  }

  MemoryFileSystem fs_;
};

TEST_F(RecordReaderTest, ReadsLinesHoweverTheyEnd) {
  EXPECT_THAT(ReadAll(*Open("a,1\nb,2\r\nc,3")), ElementsAre("a,1", "b,2", "c,3"));
  EXPECT_THAT(ReadAll(*Open("a\n\n\r\nb\n\n")), ElementsAre("a", "b"));
  EXPECT_THAT(ReadAll(*Open("\xEF\xBB\xBF"
                            "a\n")),
              ElementsAre("a"));
  EXPECT_THAT(ReadAll(*Open("")), IsEmpty());
}

TEST_F(RecordReaderTest, KeepsTheHeaderApart) {
  const auto reader = Open("\xEF\xBB\xBFuser,age\r\nu1,3\n", Header::kPresent);

  EXPECT_EQ(reader->header(), "user,age");
  EXPECT_EQ(reader->next_record(), 0U);
  EXPECT_THAT(ReadAll(*reader), ElementsAre("u1,3"));
}

TEST_F(RecordReaderTest, JoinsLinesOfAQuotedField) {
  EXPECT_THAT(ReadAll(*Open("1,\"a\nb\"\"\n\",2\n3\n")), ElementsAre("1,\"a\nb\"\"\n\",2", "3"));
  EXPECT_THAT(ReadAll(*Open("1, \"a\n\", 2\n", Header::kAbsent, ", ")),
              ElementsAre("1, \"a\n\", 2"));
}

TEST_F(RecordReaderTest, LeavesAQuoteInsideAFieldAlone) {
  EXPECT_THAT(ReadAll(*Open("5\" screen,1\nb\n")), ElementsAre("5\" screen,1", "b"));
}

TEST_F(RecordReaderTest, SpoilsOneLineOnlyWhenAQuoteIsNotClosed) {
  EXPECT_THAT(ReadAll(*Open("a\n\"b\nc\nd\n")),
              ElementsAre("a", "!quote that is not closed", "c", "d"));
  std::string text = "\"b\n";
  for (int i = 0; i < 40000; ++i) {
    text += "row\n";
  }
  const std::vector<std::string> records = ReadAll(*Open(text + "\"end\"\n"));
  EXPECT_EQ(records.size(), 40002U);
  EXPECT_EQ(records[0], "!quote that is not closed");
}

TEST_F(RecordReaderTest, GoesOnAfterALineThatIsTooLong) {
  const std::string longest(1 << 20, 'x');

  const std::vector<std::string> records = ReadAll(*Open(longest + "\n" + longest + "y\nb\n"));

  ASSERT_EQ(records.size(), 3U);
  EXPECT_TRUE(records[0] == longest);
  EXPECT_EQ(records[1], "!line too long");
  EXPECT_EQ(records[2], "b");
}

TEST_F(RecordReaderTest, ReadsALongLineWithoutAnEnd) {
  EXPECT_THAT(ReadAll(*Open("a\n" + std::string(5 << 20, 'x'))),
              ElementsAre("a", "!line too long"));
}

TEST_F(RecordReaderTest, ReturnsToAnyRecordThatItNoted) {
  std::string text = "head\n";
  for (int i = 0; i < 3000; ++i) {
    text += std::string(static_cast<size_t>(i % 1500), 'x') + "," + std::to_string(i) + "\r\n\n";
  }
  text += std::string(2 << 20, 'y') + "\nlast\n";
  const auto reader = Open(text, Header::kPresent);
  std::vector<uint64_t> offsets;
  std::vector<std::string> records;
  Record record;
  while (true) {
    offsets.push_back(reader->next_offset());
    if (!*reader->Next(record)) {
      break;
    }
    records.emplace_back(record.text);
  }
  ASSERT_EQ(records.size(), 3002U);

  for (const size_t i : {3001U, 0U, 1499U, 2999U, 3000U}) {
    ASSERT_TRUE(reader->Seek(i, offsets[i]).ok());
    ASSERT_TRUE(*reader->Next(record));
    EXPECT_TRUE(record.text == records[i]) << i;
    EXPECT_EQ(reader->next_record(), i + 1);
  }
}

TEST_F(RecordReaderTest, SkipsForwardAndSaysWhenTheFileHasBecomeShorter) {
  const auto reader = Open(Gzip("a\nb\nc\n"));

  ASSERT_TRUE(reader->SkipTo(2).ok());
  EXPECT_THAT(ReadAll(*reader), ElementsAre("c"));
  EXPECT_THAT(reader->SkipTo(5).message(), HasSubstr("/data: ends after 3 records"));
}

TEST_F(RecordReaderTest, NeedsAHeaderWhereOneIsExpected) {
  WriteFile(fs_, "/data", "");

  EXPECT_THAT(RecordReader::Open(fs_, "/data", {.header = Header::kPresent}).status().message(),
              HasSubstr("expected a header"));
}

}  // namespace
}  // namespace antiphon
