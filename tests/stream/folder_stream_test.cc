#include "stream/folder_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "stream/record_sink.h"
#include "stream/segment_list.h"
#include "tests/stream/packed_text.h"
#include "tests/support/fake_clock.h"
#include "tests/support/memory_file_system.h"

namespace antiphon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Position At(uint64_t segment, uint64_t offset) {
  return segment << kSegmentOffsetBits | offset;
}

class FolderStreamTest : public ::testing::Test {
 protected:
  FolderStreamTest() {
    data_.mutable_stream()->mutable_folder()->add_path("s");
    CHECK(fs_.MakeDirectories("/job/s").ok());
  }

  FolderStream& config() { return *data_.mutable_stream()->mutable_folder(); }

  void Make(GapPolicy gaps = GapPolicy::kRefuse) {
    StatusOr<std::unique_ptr<RecordStream>> stream =
        MakeFolderStream(data_, {.gaps = gaps, .folder = "/job"}, fs_, clock_);
    CHECK(stream.ok()) << stream.status();
    stream_ = std::move(stream).value();
  }
  void OpenAt(Position from, Beginning beginning = Beginning::kResumed) {
    CHECK(stream_->Open("s", from, beginning).ok());
  }
  void OpenFresh() {
    Make();
    OpenAt(0, Beginning::kFresh);
  }

  void Write(const std::string& name, std::string_view text) {
    WriteFile(fs_, "/job/s/" + name, text);
  }

  void Append(const std::string& name, std::string_view text) {
    StatusOr<std::unique_ptr<WritableFile>> file = fs_.OpenForAppend("/job/s/" + name);
    CHECK(file.ok() && (*file)->Append(std::as_bytes(std::span(text))).ok());
  }

  // What there is now: records, then "end" or the error if that is why there are no more.
  std::vector<std::string> ReadAll() {
    clock_.Advance(std::chrono::seconds(1));  // so that the folder is looked at
    std::vector<std::string> records;
    StreamRecord record;
    while (true) {
      const StatusOr<StreamRead> read = stream_->Next(Duration::zero(), record);
      if (!read.ok() || *read != StreamRead::kRecord) {
        if (!read.ok() || *read == StreamRead::kEnd) {
          records.push_back(read.ok() ? "end" : read.status().message());
        }
        return records;
      }
      records.emplace_back(record.payload);
      next_.push_back(record.next);
    }
  }

  MemoryFileSystem fs_;
  FakeClock clock_;
  DataConfig data_;
  std::unique_ptr<RecordStream> stream_;
  std::vector<Position> next_;  // of the records read
};

TEST_F(FolderStreamTest, ReadsSegmentsInTheOrderOfTheirNumbers) {
  Write("b-9.csv", "one\ntwo\n");
  Write("a-10.csv", "three\n");
  Write(".hidden", "x\n");
  Write("c-11.tmp", "x\n");
  OpenFresh();

  EXPECT_THAT(ReadAll(), ElementsAre("one", "two", "three"));
  EXPECT_THAT(next_, ElementsAre(At(9, 4), At(10, 0), At(11, 0)));
}

TEST_F(FolderStreamTest, ReadsWhatComesLaterAndEndsWhenItIsTold) {
  OpenFresh();
  EXPECT_THAT(ReadAll(), IsEmpty());

  Write("s-0", "one\n");
  EXPECT_THAT(ReadAll(), ElementsAre("one"));
  Write("s-1", "two\n");
  Write("END", "");

  EXPECT_THAT(ReadAll(), ElementsAre("two", "end"));
}

TEST_F(FolderStreamTest, GoesOnAtAnyPositionPlainOrPacked) {
  Write("s-3", "one\ntwo\nthree\n");
  Write("s-4.gz", Gzip("four\nfive\n"));
  Make();

  OpenAt(At(3, 4));
  EXPECT_THAT(ReadAll(), ElementsAre("two", "three", "four", "five"));
  OpenAt(At(4, 5));
  EXPECT_THAT(ReadAll(), ElementsAre("five"));
  OpenAt(At(5, 0));
  EXPECT_THAT(ReadAll(), IsEmpty());
}

TEST_F(FolderStreamTest, SaysWhenAPackedSegmentIsAnotherThanItWas) {
  Write("s-4.gz", Gzip("four\nfive\n"));
  Make();

  OpenAt(At(4, 3));

  EXPECT_THAT(ReadAll(), ElementsAre(HasSubstr("no record begins at byte 3")));
}

TEST_F(FolderStreamTest, NamesTheGapThatRetentionLeft) {
  Write("s-7", "seven\n");
  Make();

  OpenAt(At(5, 40));

  EXPECT_THAT(ReadAll(),
              ElementsAre(HasSubstr("no longer has position segment 5, byte 40, which is read "
                                    "next; the earliest that it keeps is segment 7, byte 0")));
}

TEST_F(FolderStreamTest, PassesOverAGapWhenThatIsAccepted) {
  Write("s-7", "seven\n");
  Make(GapPolicy::kAccept);

  OpenAt(At(5, 40));

  EXPECT_THAT(ReadAll(), ElementsAre("seven"));
  EXPECT_EQ(stream_->report().gaps, 1U);
  EXPECT_EQ(stream_->report().gap_positions, At(7, 0) - At(5, 40));
}

TEST_F(FolderStreamTest, NeedsNoSegmentThatIsTrainedToItsEnd) {
  Write("s-5", "five\n");
  OpenFresh();
  EXPECT_THAT(ReadAll(), ElementsAre("five"));
  ASSERT_TRUE(fs_.Remove("/job/s/s-5").ok());
  Write("s-6", "six\n");

  Make();
  OpenAt(next_.back());

  EXPECT_THAT(ReadAll(), ElementsAre("six"));
}

TEST_F(FolderStreamTest, WaitsForASegmentThatIsMissingInTheMiddle) {
  Write("s-1", "one\n");
  Write("s-3", "three\n");
  OpenFresh();
  EXPECT_THAT(ReadAll(), ElementsAre("one"));
  clock_.Advance(std::chrono::seconds(2));
  EXPECT_EQ(
      stream_->report().away,
      "/job/s: segment 2: it is missing, but there is /job/s/s-3; segment numbers count up by "
      "one");
  EXPECT_EQ(stream_->report().away_ms, 2000);

  Write("s-2", "two\n");

  EXPECT_THAT(ReadAll(), ElementsAre("two", "three"));
  EXPECT_EQ(stream_->report().away, "");
}

TEST_F(FolderStreamTest, CountsASegmentOnceItIsReady) {
  config().set_ready_suffix(".ready");
  Write("s-0", "half");
  OpenFresh();
  EXPECT_THAT(ReadAll(), IsEmpty());

  Write("s-0", "whole\n");
  Write("s-0.ready", "");

  EXPECT_THAT(ReadAll(), ElementsAre("whole"));
}

TEST_F(FolderStreamTest, TailsTheLastSegmentAndNeverReadsHalfARecord) {
  config().set_tail_last(true);
  Write("s-0", "one\ntw");
  OpenFresh();
  EXPECT_THAT(ReadAll(), ElementsAre("one"));

  Append("s-0", "o\nthree");
  EXPECT_THAT(ReadAll(), ElementsAre("two"));
  Write("s-1", "four\n");

  EXPECT_THAT(ReadAll(), ElementsAre("three", "four"));
}

TEST_F(FolderStreamTest, TellsHowManyBytesItIsBehind) {
  Write("s-0", "0123456\n");
  Write("s-1", "01\n");
  OpenFresh();
  StreamRecord record;
  ASSERT_EQ(*stream_->Next(Duration::zero(), record), StreamRead::kRecord);

  EXPECT_TRUE(stream_->report().behind_in_bytes);
  EXPECT_EQ(stream_->report().behind, 3U);
  ReadAll();
  EXPECT_EQ(stream_->report().behind, 0U);
}

TEST_F(FolderStreamTest, RefusesNamesWithoutANumberOrWithTheSameOne) {
  EXPECT_EQ(*SegmentNumber("part-2026-000042.csv.gz"), 42U);
  EXPECT_THAT(SegmentNumber("samples.1.csv").status().message(), HasSubstr("has no number"));
  EXPECT_THAT(SegmentNumber("s-16777216").status().message(), HasSubstr("0 to 16777215"));
  Write("a-1", "");
  Write("b-01", "");
  EXPECT_THAT(ListSegments(fs_, "/job/s", config()).status().message(),
              HasSubstr("/job/s/b-01 has the number of /job/s/a-1"));
}

TEST_F(FolderStreamTest, ReadsWhatASinkWrites) {
  const StatusOr<std::unique_ptr<RecordSink>> sink =
      MakeFolderSink({.folder = "/job/s", .segment_bytes = 8}, fs_);
  ASSERT_TRUE(sink.ok());
  for (const char* record : {"one", "two", "three"}) {
    ASSERT_TRUE((*sink)->Append(record).ok());
  }
  OpenFresh();
  EXPECT_THAT(ReadAll(), ElementsAre("one", "two"));

  ASSERT_TRUE((*sink)->Flush().ok());
  ASSERT_TRUE(EndFolder(fs_, "/job/s", "END").ok());

  EXPECT_THAT(ReadAll(), ElementsAre("three", "end"));
}

}  // namespace
}  // namespace antiphon
