// A stream of joined samples over a folder of events and a real store: what one holder has joined,
// the next one reads again.
#include "stream/joined_stream.h"

#include <filesystem>
#include <memory>
#include <string>
#include <unistd.h>
#include <vector>

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

namespace antiphon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr Duration kMoment = std::chrono::milliseconds(1);

class JoinedStreamTest : public ::testing::Test {
 protected:
  JoinedStreamTest()
      : folder_(::testing::TempDir() + "joined_stream_" + std::to_string(getpid()) + "_" +
                ::testing::UnitTest::GetInstance()->current_test_info()->name()) {
    std::filesystem::remove_all(folder_);
    for (const char* part : {"/a", "/b"}) {
      std::filesystem::create_directories(folder_ + part);
    }
    CHECK(google::protobuf::TextFormat::ParseFromString(
        R"(input_fields { input_name: "id" } input_fields { input_name: "at" }
           input_fields { input_name: "kind" } input_fields { input_name: "click" }
           label_fields: "click"
           stream { folder { path: ["a", "b"] poll_ms: 1 }
                    join { request_field: "id" time_field: "at" kind_field: "kind"
                           feedback { kind: "click" window_seconds: 10 } out_of_order_seconds: 0
                           worker { state_dir: "joined" together: true } } })",
        &data_));
  }
  ~JoinedStreamTest() override { std::filesystem::remove_all(folder_); }

  // A segment of impressions [first, first + count), a second apart; each third is clicked.
  void Write(int segment, int first, int count, const std::string& part = "a") {
    std::string lines;
    for (int i = first; i < first + count; ++i) {
      const std::string at = std::to_string(1'700'000'000 + i);
      const std::string id = "r" + std::to_string(i);
      lines.append(id).append(",").append(at).append(",impression\n");
      if (i % 3 == 0) {
        lines.append(id).append(",").append(at).append(",click\n");
      }
    }
    CHECK(WriteFileAtomically(fs_, folder_ + "/" + part + "/s-" + std::to_string(segment), lines)
              .ok());
  }
  void End(const std::string& part = "a") {
    CHECK(WriteFileAtomically(fs_, folder_ + "/" + part + "/END", "").ok());
  }

  std::unique_ptr<RecordStream> Make(GapPolicy gaps = GapPolicy::kRefuse) {
    StatusOr<std::unique_ptr<RecordStream>> stream =
        MakeJoinedStream(data_, {.gaps = gaps, .folder = folder_}, fs_, clock_);
    CHECK(stream.ok()) << stream.status();
    return *std::move(stream);
  }

  // Samples as "position:record" until the stream ends; an error is the last one.
  static std::vector<std::string> ReadAll(RecordStream& stream) {
    std::vector<std::string> samples;
    while (true) {
      StreamRecord record;
      const StatusOr<StreamRead> read = stream.Next(kMoment, record);
      if (!read.ok()) {
        samples.push_back(read.status().message());
        return samples;
      }
      if (*read == StreamRead::kEnd) {
        return samples;
      }
      if (*read == StreamRead::kRecord) {
        samples.push_back(std::to_string(record.position) + ":" + std::string(record.payload));
      }
    }
  }

  // By a stream of its own.
  std::vector<std::string> ReadFrom(Position from, Beginning beginning,
                                    GapPolicy gaps = GapPolicy::kRefuse,
                                    const std::string& partition = "joined/0") {
    const std::unique_ptr<RecordStream> stream = Make(gaps);
    CHECK(stream->Open(partition, from, beginning).ok());
    return ReadAll(*stream);
  }

  const std::string folder_;
  DataConfig data_;
  PosixFileSystem fs_;
  SystemClock clock_;
};

TEST_F(JoinedStreamTest, GivesTheSameSamplesFromAnyPositionToWhoeverHoldsIt) {
  Write(0, 0, 4);
  End();

  const std::vector<std::string> all = ReadFrom(0, Beginning::kFresh);

  EXPECT_THAT(all, ElementsAre("0:r0,1700000000,impression,1", "1:r1,1700000001,impression,0",
                               "2:r2,1700000002,impression,0", "3:r3,1700000003,impression,1"));
  for (size_t from = 0; from <= all.size(); ++from) {
    EXPECT_EQ(ReadFrom(from, Beginning::kResumed),
              std::vector<std::string>(all.begin() + static_cast<int64_t>(from), all.end()));
  }
}

TEST_F(JoinedStreamTest, GoesOnJoiningWhereTheHolderBeforeHadStopped) {
  Write(0, 0, 100);
  Write(1, 100, 100);
  const std::unique_ptr<RecordStream> first = Make();
  ASSERT_TRUE(first->Open("joined/0", 0, Beginning::kFresh).ok());
  StreamRecord record;
  Position trained = 0;
  while (trained < 50) {
    const StatusOr<StreamRead> read = first->Next(kMoment, record);
    ASSERT_TRUE(read.ok()) << read.status();
    trained = *read == StreamRead::kRecord ? record.next : trained;
  }
  first->Close();
  Write(2, 200, 100);
  End();

  const std::vector<std::string> rest = ReadFrom(trained, Beginning::kResumed);

  ASSERT_THAT(rest, SizeIs(250));
  EXPECT_THAT(rest.front(), HasSubstr("50:r50,"));
  EXPECT_THAT(rest.back(), HasSubstr("299:r299,"));
}

TEST_F(JoinedStreamTest, LetsOneHolderInAtATime) {
  Write(0, 0, 100);
  End();
  const std::unique_ptr<RecordStream> holder = Make();
  const std::unique_ptr<RecordStream> other = Make();
  StreamRecord record;
  ASSERT_TRUE(holder->Open("joined/0", 0, Beginning::kFresh).ok());
  while (*holder->Next(kMoment, record) != StreamRead::kRecord) {
  }
  ASSERT_TRUE(other->Open("joined/0", 0, Beginning::kFresh).ok());

  const StatusOr<StreamRead> read = other->Next(kMoment, record);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, StreamRead::kNothing);
  EXPECT_THAT(other->report().away, HasSubstr("joined/0 in " + folder_ + "/joined/0: "));

  holder->Close();
  EXPECT_THAT(ReadAll(*other), SizeIs(100));
}

TEST_F(JoinedStreamTest, SaysAfterAwayMsWhatItWaitsFor) {
  data_.mutable_stream()->set_away_ms(5);
  Write(0, 0, 100);
  const std::unique_ptr<RecordStream> holder = Make();
  StreamRecord record;
  ASSERT_TRUE(holder->Open("joined/0", 0, Beginning::kFresh).ok());
  while (*holder->Next(kMoment, record) != StreamRead::kRecord) {
  }

  EXPECT_THAT(ReadFrom(0, Beginning::kFresh),
              ElementsAre(HasSubstr("joined/0 in " + folder_ + "/joined/0 has been away")));
}

TEST_F(JoinedStreamTest, NamesTheGapThatDroppedSamplesLeave) {
  data_.mutable_stream()->mutable_join()->mutable_worker()->set_keep_bytes(1);
  const std::unique_ptr<RecordStream> stream = Make();
  ASSERT_TRUE(stream->Open("joined/0", 0, Beginning::kFresh).ok());
  Write(0, 0, 100);  // ten stay open
  StreamRecord record;
  for (Position next = 0; next < 89;) {
    const StatusOr<StreamRead> read = stream->Next(kMoment, record);
    ASSERT_TRUE(read.ok()) << read.status();
    next = *read == StreamRead::kRecord ? record.next : next;
  }
  End();
  ReadAll(*stream);
  stream->Close();

  const std::vector<std::string> refused = ReadFrom(3, Beginning::kResumed);
  ASSERT_THAT(refused, SizeIs(1));
  EXPECT_THAT(refused[0], HasSubstr("the source no longer has position 3, which is read next; the "
                                    "earliest that it keeps is 89, 86 records later"));
  EXPECT_THAT(ReadFrom(3, Beginning::kResumed, GapPolicy::kAccept), SizeIs(11));
  EXPECT_THAT(ReadFrom(0, Beginning::kFresh), SizeIs(11));
}

TEST_F(JoinedStreamTest, RefusesAStateThatHasMadeLessThanWasTrained) {
  Write(0, 0, 4);
  End();

  EXPECT_THAT(ReadFrom(7, Beginning::kResumed),
              ElementsAre(HasSubstr("7 samples were trained, and the joiner's state in")));
}

TEST_F(JoinedStreamTest, JoinsPartitionsByThemselvesOrAllOfThem) {
  Write(0, 0, 3, "a");
  Write(0, 3, 2, "b");
  End("a");
  End("b");
  EXPECT_THAT(*PlanJoinedStream(data_, folder_, fs_, clock_), SizeIs(2));
  EXPECT_THAT(ReadFrom(0, Beginning::kFresh, GapPolicy::kRefuse, "joined/1"), SizeIs(2));

  data_.mutable_stream()->mutable_join()->mutable_worker()->set_together(false);
  const StatusOr<std::vector<Partition>> plan = PlanJoinedStream(data_, folder_, fs_, clock_);
  ASSERT_THAT(*plan, SizeIs(1));
  EXPECT_EQ((*plan)[0].path(), "joined");
  EXPECT_TRUE((*plan)[0].open_ended());
  EXPECT_THAT(ReadFrom(0, Beginning::kFresh, GapPolicy::kRefuse, "joined"), SizeIs(5));
}

TEST_F(JoinedStreamTest, WantsTheLabelsBehindTheColumnsOfTheEvents) {
  data_.mutable_stream()->mutable_join()->set_known_until_field("until");

  EXPECT_THAT(MakeJoinedStream(data_, {}, fs_, clock_).status().message(),
              HasSubstr("the last are kind, click, expected what data_config.stream.join adds, in "
                        "its order: click, until"));
}

}  // namespace
}  // namespace antiphon
