#include "tools/join/folder_events.h"

#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"
#include "tests/support/memory_file_system.h"

namespace antiphon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class FolderEventsTest : public ::testing::Test {
 protected:
  FolderEventsTest() {
    CHECK(google::protobuf::TextFormat::ParseFromString(
        R"(with_header: true
           input_fields { input_name: "id" } input_fields { input_name: "at" }
           input_fields { input_name: "kind" } input_fields { input_name: "value" }
           stream { folder { path: "log" }
                    join { request_field: "id" time_field: "at" kind_field: "kind"
                           value_field: "value" } })",
        &data_));
    CHECK(fs_.MakeDirectories("log").ok());
  }

  void Write(const std::string& name, const std::string& lines) {
    CHECK(WriteFileAtomically(fs_, "log/" + name, "id,at,kind,value,more\n" + lines).ok());
  }

  std::unique_ptr<FolderEvents> Open() {
    StatusOr<std::unique_ptr<FolderEvents>> events =
        FolderEvents::Create(data_, "log", fs_, clock_);
    CHECK(events.ok()) << events.status();
    return *std::move(events);
  }

  // "a@5000 click 1", "bad", until there is nothing more, which is the last line.
  static std::vector<std::string> All(FolderEvents& events) {
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

TEST_F(FolderEventsTest, ReadsSegmentsAsTheyAppearInTheOrderOfTheirNumbers) {
  Write("e-000010.csv", "b,6000000000000,click,2,\n");
  Write("e-000009.csv", "a,5000000000,impression,,x|y\n");
  const std::unique_ptr<FolderEvents> events = Open();

  EXPECT_THAT(All(*events), ElementsAre("a@5000000000000 a,5000000000,impression,,x|y",
                                        "b@6000000000000 click 2", "nothing"));
  Write("e-000011.csv", "c,7000000000000,gift,,\n");
  CHECK(WriteFileAtomically(fs_, "log/END", "").ok());
  clock_.Advance(std::chrono::seconds(1));
  EXPECT_THAT(All(*events), ElementsAre("c@7000000000000 gift 0", "end"));
}

TEST_F(FolderEventsTest, GoesOnFromAnyPosition) {
  Write("e-1.csv", "a,1,click,1,\nb,2,click,1,\n");
  Write("e-2.csv", "c,3,click,1,\n");
  const std::unique_ptr<FolderEvents> whole = Open();
  const std::vector<std::string> all = All(*whole);
  const std::unique_ptr<FolderEvents> first = Open();
  JoinEvent event;
  for (size_t read = 1; read <= 3; ++read) {
    ASSERT_EQ(*first->Next(event), EventReader::Outcome::kEvent);
    const std::unique_ptr<FolderEvents> second = Open();
    ASSERT_TRUE(second->Seek(first->position()).ok());

    EXPECT_EQ(All(*second),
              std::vector<std::string>(all.begin() + static_cast<int64_t>(read), all.end()));
  }
}

TEST_F(FolderEventsTest, PassesOverRecordsThatAreNoEvents) {
  Write("e-1.csv",
        "a,soon,click,1,\n,1,click,1,\na,1,click,much,\na,-1,click,1,\na,1\na,1,click,1,\n");

  EXPECT_THAT(All(*Open()),
              ElementsAre("bad", "bad", "bad", "bad", "bad", "a@1000 click 1", "nothing"));
}

TEST_F(FolderEventsTest, SaysWhatIsMissing) {
  Write("e-1.csv", "");
  Write("e-3.csv", "");
  EXPECT_THAT(All(*Open()), ElementsAre(HasSubstr("segment 2 is wanted next and not there")));

  data_.mutable_stream()->mutable_join()->set_time_field("when");
  EXPECT_THAT(FolderEvents::Create(data_, "log", fs_, clock_).status().message(),
              HasSubstr("stream.join.time_field: when is not an input field"));
}

}  // namespace
}  // namespace antiphon
