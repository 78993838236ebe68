#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "stream/record_reader.h"
#include "stream/record_sink.h"
#include "tests/stream/packed_text.h"
#include "tests/support/memory_file_system.h"

namespace antiphon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class BinaryFramesTest : public ::testing::TestWithParam<Framing> {
 protected:
  std::string Framed(const std::vector<std::string>& records) const {
    std::string out;
    for (const std::string& record : records) {
      AppendFramed(record, GetParam(), out);
    }
    return out;
  }

  std::unique_ptr<RecordReader> Open(std::string_view contents) {
    WriteFile(fs_, "/data", contents);
    StatusOr<std::unique_ptr<RecordReader>> reader =
        RecordReader::Open(fs_, "/data", {.framing = GetParam()});
    CHECK(reader.ok()) << reader.status();
    return std::move(reader).value();
  }

  // Every record, a bad one as "!reason", and the error that reading ended with.
  static std::vector<std::string> ReadAll(RecordReader& reader) {
    std::vector<std::string> records;
    Record record;
    while (true) {
      const StatusOr<bool> is_there = reader.Next(record);
      if (!is_there.ok()) {
        records.push_back(is_there.status().message());
        return records;
      }
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

TEST_P(BinaryFramesTest, GivesBackWhatWasWritten) {
  const std::vector<std::string> records = {"a", std::string(300, '\n'), std::string(200'000, 'x')};

  EXPECT_TRUE(ReadAll(*Open(Framed(records))) == records);
  EXPECT_TRUE(ReadAll(*Open(Gzip(Framed(records)))) == records);
}

TEST_P(BinaryFramesTest, SaysWhereAFileWasCutOff) {
  const std::string all = Framed({"first", "second"});

  const std::vector<std::string> read = ReadAll(*Open(all.substr(0, all.size() - 1)));

  ASSERT_EQ(read.size(), 2U);
  EXPECT_THAT(read[1],
              HasSubstr("/data: record 2 at byte " + std::to_string(Framed({"first"}).size()) +
                        ": the file ends inside the record"));
}

TEST_P(BinaryFramesTest, WaitsForTheRestOfAFileThatGrows) {
  const std::string all = Framed({"first", "second"});
  const std::unique_ptr<RecordReader> reader = Open(all.substr(0, all.size() - 3));
  reader->set_growing(true);
  EXPECT_THAT(ReadAll(*reader), ElementsAre("first"));

  StatusOr<std::unique_ptr<WritableFile>> file = fs_.OpenForAppend("/data");
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE((*file)->Append(std::as_bytes(std::span(all).subspan(all.size() - 3))).ok());

  EXPECT_THAT(ReadAll(*reader), ElementsAre("second"));
}

TEST_P(BinaryFramesTest, GoesToARecordByItsOffset) {
  const std::unique_ptr<RecordReader> reader = Open(Framed({"first", "second", "third"}));

  ASSERT_TRUE(reader->Seek(1, Framed({"first"}).size()).ok());

  EXPECT_THAT(ReadAll(*reader), ElementsAre("second", "third"));
}

INSTANTIATE_TEST_SUITE_P(Framings, BinaryFramesTest,
                         ::testing::Values(Framing::kTfRecord, Framing::kDelimited),
                         [](const auto& test) {
                           return test.param == Framing::kTfRecord ? "TfRecord" : "Delimited";
                         });

class TfRecordTest : public ::testing::Test {
 protected:
  std::string Read(std::string contents) {
    WriteFile(fs_, "/data", contents);
    const StatusOr<std::unique_ptr<RecordReader>> reader =
        RecordReader::Open(fs_, "/data", {.framing = Framing::kTfRecord});
    CHECK(reader.ok());
    Record record;
    const StatusOr<bool> is_there = (*reader)->Next(record);
    return is_there.ok() ? std::string(BadRowReasonText(record.reason))
                         : is_there.status().message();
  }

  MemoryFileSystem fs_;
};

// The record "abc" with checksums from a bitwise CRC32C of another program.
TEST_F(TfRecordTest, WritesTheBytesThatTensorFlowReads) {
  std::string file;
  AppendFramed("abc", Framing::kTfRecord, file);

  EXPECT_EQ(file, std::string_view("\x03\x00\x00\x00\x00\x00\x00\x00\xb0\x99\x49\x0e"
                                   "\141\142\143\156\127\361\041",
                                   19));
}

TEST_F(TfRecordTest, TellsADamagedRecordFromADamagedFile) {
  std::string file;
  AppendFramed("some record", Framing::kTfRecord, file);
  std::string bad_record = file;
  bad_record[14] ^= 1;
  std::string bad_length = file;
  bad_length[1] ^= 1;

  EXPECT_EQ(Read(file), "none");
  EXPECT_EQ(Read(bad_record), "checksum does not match");
  EXPECT_THAT(Read(bad_length), HasSubstr("the checksum of its length does not match"));
}

}  // namespace
}  // namespace antiphon
