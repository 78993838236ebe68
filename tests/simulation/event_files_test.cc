#include "simulation/event_files.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/text.h"
#include "tests/support/fake_clock.h"
#include "tests/support/memory_file_system.h"

namespace antiphon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAreArray;

class EventFilesTest : public ::testing::Test {
 protected:
  EventFilesTest()
      : platform_(*Platform::Create({.seed = 3, .days = 1, .users = 60, .hosts = 50})) {}

  Status Write(const EventFilesOptions& options) {
    return WriteEventFiles(*platform_, events_, options, fs_, clock_,
                           [this](Duration duration) {
                             clock_.Advance(duration);
                             ++waits_;
                             return --waits_left_ > 0;
                           })
        .status();
  }

  // The lines of a partition in their order; every segment begins with the header.
  std::vector<std::string> Lines(const std::string& folder) {
    std::vector<std::string> lines;
    const std::vector<std::string> names = *fs_.List(folder);
    EXPECT_EQ(names.front(), "END");
    for (size_t i = 1; i < names.size(); ++i) {
      const std::string text = *ReadWholeFile(fs_, folder + "/" + names[i], 1 << 30);
      EXPECT_TRUE(text.starts_with(EventStream::Header()));
      const std::string body = text.substr(EventStream::Header().size());
      for (const std::string_view line : Split(body, "\n")) {
        if (!line.empty()) {
          lines.emplace_back(line);
        }
      }
    }
    return lines;
  }

  std::vector<std::string> AllOfStream() {
    EventStream stream(*platform_, events_);
    std::vector<std::string> lines;
    StreamEvent event;
    std::string line;
    while (stream.Next(event, line)) {
      lines.emplace_back(Trim(line));
    }
    return lines;
  }

  std::unique_ptr<Platform> platform_;
  EventStreamOptions events_ = {.impressions = 3000};
  MemoryFileSystem fs_;
  FakeClock clock_;
  int waits_ = 0;
  int waits_left_ = 1'000'000;
};

TEST_F(EventFilesTest, WritesEveryEventOnceImpressionsAndFeedbackApart) {
  ASSERT_TRUE(Write({.directory = "out", .segment_events = 100}).ok());

  std::vector<std::string> all;
  for (const char* folder : {"out/impressions-0", "out/impressions-1"}) {
    for (const std::string& line : Lines(folder)) {
      EXPECT_THAT(line, HasSubstr(",impression,"));
      all.push_back(line);
    }
  }
  for (const char* folder : {"out/feedback-0", "out/feedback-1"}) {
    for (const std::string& line : Lines(folder)) {
      EXPECT_THAT(line, HasSubstr(",1,,,"));
      all.push_back(line);
    }
  }
  EXPECT_THAT(all, UnorderedElementsAreArray(AllOfStream()));
  EXPECT_EQ(fs_.List("out/truth")->size(), 31u) << "30 segments of 100 impressions and END";
}

TEST_F(EventFilesTest, KeepsAnImpressionAndItsFeedbackTogetherAndNearlyInOrder) {
  ASSERT_TRUE(Write({.directory = "out", .together = true, .out_of_order_seconds = 30}).ok());

  std::map<std::string, std::string> folder_of;
  int64_t inversions = 0;
  for (const std::string folder : {"out/events-0", "out/events-1"}) {
    int64_t latest_ms = 0;
    for (const std::string& line : Lines(folder)) {
      const std::vector<std::string_view> columns = Split(line, ",");
      const int64_t time_ms = *ParseInt(columns[1]);
      EXPECT_GT(time_ms, latest_ms - 30'000);
      inversions += time_ms < latest_ms ? 1 : 0;
      latest_ms = std::max(latest_ms, time_ms);
      const auto known = folder_of.emplace(columns[0], folder).first;
      EXPECT_EQ(known->second, folder);
    }
  }
  EXPECT_GT(inversions, 0);
}

TEST_F(EventFilesTest, GivesTheSameBytesForTheSameOptions) {
  ASSERT_TRUE(Write({.directory = "a"}).ok());
  ASSERT_TRUE(Write({.directory = "b"}).ok());

  for (const char* folder : {"impressions-0", "impressions-1", "feedback-0", "feedback-1"}) {
    EXPECT_EQ(Lines(std::string("a/") + folder), Lines(std::string("b/") + folder));
  }
}

TEST_F(EventFilesTest, KeepsThePaceAndEndsSegmentsAsTimePasses) {
  const Time begin = clock_.Now();

  ASSERT_TRUE(Write({.directory = "out", .partitions = 1, .speed = 3600}).ok());

  // A day at an hour a second.
  EXPECT_NEAR(SecondsBetween(begin, clock_.Now()), 24, 1);
  EXPECT_NEAR(static_cast<double>(fs_.List("out/impressions-0")->size()), 24, 3);
}

TEST_F(EventFilesTest, EndsAsIfTheStreamWereOverWhenTheWaitingIsBrokenOff) {
  waits_left_ = 100;

  ASSERT_TRUE(Write({.directory = "out", .partitions = 1, .speed = 3600}).ok());

  EXPECT_EQ(waits_, 100);
  EXPECT_LT(Lines("out/impressions-0").size(), 3000u);
}

TEST_F(EventFilesTest, RefusesAFolderThatHasSomethingInIt) {
  ASSERT_TRUE(fs_.MakeDirectories("out").ok());
  ASSERT_TRUE(WriteFileAtomically(fs_, "out/old", "").ok());

  EXPECT_THAT(Write({.directory = "out"}).message(), HasSubstr("out is not empty (it has old)"));
}

}  // namespace
}  // namespace antiphon
