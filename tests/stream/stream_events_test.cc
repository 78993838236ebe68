#include "stream/stream_events.h"

#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "join/sample_record.h"
#include "proto/sample.pb.h"
#include "proto/tf_example.pb.h"
#include "stream/folder_stream.h"
#include "stream/record_sink.h"
#include "tests/support/fake_clock.h"
#include "tests/support/memory_file_system.h"

namespace antiphon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class StreamEventsTest : public ::testing::Test {
 protected:
  StreamEventsTest() {
    CHECK(google::protobuf::TextFormat::ParseFromString(
        R"(with_header: true
           input_fields { input_name: "id" } input_fields { input_name: "at" }
           input_fields { input_name: "kind" } input_fields { input_name: "value" }
           stream { folder { path: "/log" }
                    join { request_field: "id" time_field: "at" kind_field: "kind"
                           value_field: "value" } })",
        &data_));
    CHECK(fs_.MakeDirectories("/log").ok());
  }

  void Write(const std::string& name, const std::string& lines,
             const std::string& header = "id,at,kind,value,more\n") {
    CHECK(WriteFileAtomically(fs_, "/log/" + name, header + lines).ok());
  }

  StatusOr<std::vector<std::unique_ptr<StreamEvents>>> Make() {
    AP_ASSIGN_OR_RETURN(const std::vector<Partition> partitions,
                        PlanSource(data_, "", fs_, clock_));
    return MakeEventReaders(data_, partitions, {}, fs_, clock_);
  }

  std::unique_ptr<StreamEvents> Open() {
    StatusOr<std::vector<std::unique_ptr<StreamEvents>>> events = Make();
    CHECK(events.ok()) << events.status();
    return std::move(events->front());
  }

  // "a@5000 click 1", "bad", until there is nothing more, which is the last line.
  static std::vector<std::string> All(StreamEvents& events) {
    std::vector<std::string> lines;
    while (true) {
      JoinEvent event;
      const StatusOr<EventReader::Outcome> outcome = events.Next(event);
      if (!outcome.ok()) {
        lines.push_back(outcome.status().message());
        return lines;
      }
      if (*outcome == EventReader::Outcome::kNothing || *outcome == EventReader::Outcome::kEnd) {
        lines.emplace_back(*outcome == EventReader::Outcome::kEnd ? "end" : "nothing");
        return lines;
      }
      lines.push_back(
          *outcome == EventReader::Outcome::kBadEvent
              ? "bad"
              : event.request + "@" + std::to_string(event.time_ms) + " " +
                    (event.is_impression
                         ? event.fields
                         : event.kind + " " + std::to_string(static_cast<int>(event.value))));
    }
  }

  DataConfig data_;
  MemoryFileSystem fs_;
  FakeClock clock_;
};

TEST_F(StreamEventsTest, ReadsSegmentsAsTheyAppearInTheOrderOfTheirNumbers) {
  Write("e-000010.csv", "b,6000000000000,click,2,\n");
  Write("e-000009.csv", "a,5000000000,impression,,x|y\n");
  const std::unique_ptr<StreamEvents> events = Open();

  EXPECT_THAT(All(*events), ElementsAre("a@5000000000000 a,5000000000,impression,,x|y",
                                        "b@6000000000000 click 2", "nothing"));
  Write("e-000011.csv", "c,7000000000000,gift,,\n");
  CHECK(WriteFileAtomically(fs_, "/log/END", "").ok());
  clock_.Advance(std::chrono::seconds(1));
  EXPECT_THAT(All(*events), ElementsAre("c@7000000000000 gift 0", "end"));
}

TEST_F(StreamEventsTest, FollowsColumnsThatMoveFromSegmentToSegment) {
  Write("e-1.csv", "a,1,click,1,\n");
  Write("e-2.csv", "click,b,2,7\n", "kind,id,at,value\n");

  EXPECT_THAT(All(*Open()), ElementsAre("a@1000 click 1", "b@2000 click 7", "nothing"));
}

TEST_F(StreamEventsTest, GoesOnFromAnyPosition) {
  Write("e-1.csv", "a,1,click,1,\nb,2,click,1,\n");
  Write("e-2.csv", "c,3,click,1,\n");
  const std::unique_ptr<StreamEvents> whole = Open();
  const std::vector<std::string> all = All(*whole);
  const std::unique_ptr<StreamEvents> first = Open();
  JoinEvent event;
  for (size_t read = 1; read <= 3; ++read) {
    ASSERT_EQ(*first->Next(event), EventReader::Outcome::kEvent);
    const std::unique_ptr<StreamEvents> second = Open();
    ASSERT_TRUE(second->Seek(first->position(), EventReader::Past::kRead).ok());

    EXPECT_EQ(All(*second),
              std::vector<std::string>(all.begin() + static_cast<int64_t>(read), all.end()));
  }
}

TEST_F(StreamEventsTest, PassesOverRecordsThatAreNoEvents) {
  Write("e-1.csv",
        "a,soon,click,1,\n,1,click,1,\na,1,click,much,\na,-1,click,1,\na,1\na,1,click,1,\n");

  EXPECT_THAT(All(*Open()),
              ElementsAre("bad", "bad", "bad", "bad", "bad", "a@1000 click 1", "nothing"));
}

TEST_F(StreamEventsTest, TellsAnUntouchedPartitionFromOneThatHasLostItsBeginning) {
  Write("e-7.csv", "a,1,click,1,\n");
  const std::unique_ptr<StreamEvents> fresh = Open();
  ASSERT_TRUE(fresh->Seek(0, EventReader::Past::kUntouched).ok());
  const std::unique_ptr<StreamEvents> resumed = Open();
  ASSERT_TRUE(resumed->Seek(0, EventReader::Past::kRead).ok());

  EXPECT_THAT(All(*fresh), ElementsAre("a@1000 click 1", "nothing"));
  EXPECT_THAT(All(*resumed), ElementsAre(StartsWith("/log: the source no longer has position")));
}

TEST_F(StreamEventsTest, IsNotSilentWhileASegmentIsMissingAndGivesUpInTheEnd) {
  data_.mutable_stream()->set_away_ms(1000);
  Write("e-1.csv", "a,1,click,1,\n");
  Write("e-3.csv", "c,3,click,1,\n");
  const std::unique_ptr<StreamEvents> events = Open();

  EXPECT_THAT(All(*events), ElementsAre("a@1000 click 1", "nothing"));
  EXPECT_TRUE(events->may_have_more());
  clock_.Advance(std::chrono::seconds(2));
  EXPECT_THAT(All(*events),
              ElementsAre(HasSubstr("/log: segment 2 has been away for 2 s, longer than")));
}

TEST_F(StreamEventsTest, SaysWhatIsMissing) {
  data_.set_with_header(false);
  data_.mutable_stream()->mutable_join()->set_time_field("when");

  EXPECT_THAT(Make().status().message(),
              HasSubstr("stream.join.time_field: when is not an input field"));
}

// Events of every format become samples that the same format's decoder reads.
class EventFormatTest : public StreamEventsTest {
 protected:
  EventFormatTest() {
    data_.set_with_header(false);
    CHECK(google::protobuf::TextFormat::ParseFromString(
        R"(feedback { kind: "click" window_seconds: 20 }
           feedback { kind: "gift" window_seconds: 60 } known_until_field: "until")",
        &more_));
    data_.mutable_stream()->mutable_join()->MergeFrom(more_);
  }

  // Writes one impression, reads it as an event, joins it by hand, and reads the sample back:
  // "id|click|gift|until".
  std::string RoundTrip(DataConfig::InputType type, const std::string& record) {
    data_.set_input_type(type);
    std::string framed;
    AppendFramed(record, RecordFormatOf(data_).framing, framed);
    CHECK(WriteFileAtomically(fs_, "/log/e-1", framed).ok());
    JoinEvent event;
    const std::unique_ptr<StreamEvents> events = Open();
    CHECK(*events->Next(event) == EventReader::Outcome::kEvent);
    EXPECT_TRUE(event.is_impression);
    EXPECT_EQ(event.time_ms, 5000);
    const JoinRules rules = *MakeJoinRules(data_.stream().join());
    const std::string sample = SampleRecord::Create(data_, rules)
                                   ->Of({.request = event.request,
                                         .known_until_ms = 65'000,
                                         .fields = event.fields,
                                         .labels = {1, std::nullopt}});

    DataConfig samples = data_;
    for (const char* name : {"click", "gift", "until"}) {
      samples.add_input_fields()->set_input_name(name);
    }
    samples.add_label_fields("click");
    samples.add_label_fields("gift");
    std::vector<FieldUse> uses(static_cast<size_t>(samples.input_fields_size()));
    for (FieldUse& use : uses) {
      use.as_text = true;
    }
    const StatusOr<std::unique_ptr<RecordDecoder>> decoder =
        MakeRecordDecoder(samples, uses, "", "");
    CHECK(decoder.ok());
    DecodedRow row(uses.size());
    EXPECT_EQ((*decoder)->Decode(sample, row), BadRowReason::kNone) << sample;
    std::string all(row.values[0]);
    for (const size_t field : {4, 5, 6}) {
      all += "|" + std::string(row.values[field]);
    }
    return all;
  }

  JoinConfig more_;
};

TEST_F(EventFormatTest, JoinsCsv) {
  EXPECT_EQ(RoundTrip(DataConfig::CSVInput, "a,5,impression,"), "a|1||65000");
}

TEST_F(EventFormatTest, JoinsSlotText) {
  EXPECT_EQ(RoundTrip(DataConfig::SlotTextInput, "at:5 id:a kind:impression other:x"),
            "a|1||65000");
}

TEST_F(EventFormatTest, JoinsProtobuf) {
  Sample sample;
  const auto add = [&sample](const std::string& name) {
    SampleField& field = *sample.add_fields();
    field.set_name(name);
    return &field;
  };
  add("id")->add_text("a");
  add("at")->add_whole(5);
  add("kind")->add_text("impression");

  EXPECT_EQ(RoundTrip(DataConfig::ProtobufInput, sample.SerializeAsString()), "a|1||65000");
}

TEST_F(EventFormatTest, JoinsTfExamples) {
  TfExample example;
  const auto add = [&example](const std::string& name) {
    TfFeatureEntry& entry = *example.mutable_features()->add_feature();
    entry.set_key(name);
    return entry.mutable_value();
  };
  add("id")->mutable_bytes_list()->add_value("a");
  add("at")->mutable_int64_list()->add_value(5);
  add("kind")->mutable_bytes_list()->add_value("impression");

  EXPECT_EQ(RoundTrip(DataConfig::TFRecordInput, example.SerializeAsString()), "a|1||65000");
}

}  // namespace
}  // namespace antiphon
