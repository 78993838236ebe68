#include "simulation/event_stream.h"

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/text.h"

namespace antiphon {
namespace {

using ::testing::HasSubstr;

struct Told {
  StreamEvent event;
  std::vector<std::string> columns;
};

class EventStreamTest : public ::testing::Test {
 protected:
  EventStreamTest()
      : platform_(*Platform::Create({.seed = 7, .days = 2, .users = 60, .hosts = 50})) {}

  std::vector<Told> Tell(const EventStreamOptions& options) {
    EventStream stream(*platform_, options);
    std::vector<Told> all;
    StreamEvent event;
    std::string line;
    while (stream.Next(event, line)) {
      Told told{event, {}};
      for (const std::string_view column : Split(Trim(line), ",")) {
        told.columns.emplace_back(column);
      }
      all.push_back(std::move(told));
    }
    return all;
  }

  static int64_t Column(const Told& told, const std::string& name) {
    const std::string header = EventStream::Header();
    const std::vector<std::string_view> names = Split(Trim(header), ",");
    const auto found = std::find(names.begin(), names.end(), name);
    CHECK(found != names.end()) << name;
    const std::string& text = told.columns[static_cast<size_t>(found - names.begin())];
    return *ParseInt(text);
  }

  std::unique_ptr<Platform> platform_;
};

TEST_F(EventStreamTest, TellsEventsInTheOrderOfTimeWithAllColumns) {
  const std::vector<Told> all = Tell({.impressions = 2000});
  const std::string header = EventStream::Header();
  const size_t columns = Split(header, ",").size();

  int64_t last_ms = 0;
  size_t impressions = 0;
  for (const Told& told : all) {
    EXPECT_GE(told.event.time_ms, last_ms);
    EXPECT_EQ(told.columns.size(), columns);
    last_ms = told.event.time_ms;
    impressions += told.event.feedback.has_value() ? 0 : 1;
  }
  EXPECT_EQ(impressions, 2000u);
  EXPECT_GT(all.size(), 2100u) << "some feedback came";
}

TEST_F(EventStreamTest, ServesCountersOfWhatHadHappenedUntilThen) {
  const std::vector<Told> all = Tell({.impressions = 1200});
  std::map<std::string, int64_t> host_of;
  std::map<std::string, int64_t> user_of;

  int64_t clicks_seen = 0;
  for (size_t i = 0; i < all.size(); ++i) {
    const Told& told = all[i];
    if (told.event.feedback.has_value()) {
      continue;
    }
    host_of[told.event.id] = Column(told, "host_id");
    user_of[told.event.id] = Column(told, "user_id");
    int64_t host_clicks_1h = 0;
    int64_t host_shown_10s = 0;
    int64_t user_clicks_1h = 0;
    for (size_t j = 0; j < i; ++j) {
      const StreamEvent& before = all[j].event;
      const int64_t age_ms = told.event.time_ms - before.time_ms;
      const bool is_host = host_of[before.id] == host_of[told.event.id];
      const bool is_user = user_of[before.id] == user_of[told.event.id];
      if (before.feedback == Task::kClick && age_ms < 3'600'000) {
        host_clicks_1h += is_host ? 1 : 0;
        user_clicks_1h += is_user ? 1 : 0;
      }
      if (!before.feedback.has_value() && age_ms < 10'000) {
        host_shown_10s += is_host ? 1 : 0;
      }
    }
    ASSERT_EQ(Column(told, "host_clicks_1h"), host_clicks_1h);
    ASSERT_EQ(Column(told, "user_clicks_1h"), user_clicks_1h);
    ASSERT_EQ(Column(told, "host_shown_10s"), host_shown_10s);
    clicks_seen += host_clicks_1h;
  }
  EXPECT_GT(clicks_seen, 0);
}

TEST_F(EventStreamTest, DelaysFeedbackByItsTasksMean) {
  EventStreamOptions options = {.impressions = 20'000};
  ASSERT_TRUE(SetDelays("click:20,long_watch:1000", options).ok());
  std::map<std::string, int64_t> shown_ms;
  std::map<std::string, int64_t> click_ms;
  std::map<Task, std::pair<double, int>> delays;

  for (const Told& told : Tell(options)) {
    if (!told.event.feedback.has_value()) {
      shown_ms[told.event.id] = told.event.time_ms;
      continue;
    }
    const Task task = *told.event.feedback;
    if (task == Task::kClick) {
      click_ms[told.event.id] = told.event.time_ms;
    }
    const int64_t from_ms =
        task == Task::kClick ? shown_ms.at(told.event.id) : click_ms.at(told.event.id);
    delays[task].first += static_cast<double>(told.event.time_ms - from_ms) / 1000;
    ++delays[task].second;
  }

  // Devices differ by factors around 1.
  const auto& [click_seconds, clicks] = delays[Task::kClick];
  EXPECT_NEAR(click_seconds / clicks, 20, 4);
  const auto& [watch_seconds, watches] = delays[Task::kLongWatch];
  EXPECT_NEAR(watch_seconds / watches, 1000, 200);
}

TEST_F(EventStreamTest, TellsTheTruthOfEachImpressionApart) {
  EventStream stream(*platform_, {.impressions = 3000});
  std::map<std::string, int> promised;
  std::map<std::string, int> seen;
  StreamEvent event;
  std::string line;
  while (stream.Next(event, line)) {
    if (event.feedback.has_value()) {
      ++seen[event.id];
      continue;
    }
    std::string truth;
    stream.AppendTruth(truth);
    const std::vector<std::string_view> columns = Split(Trim(truth), ",");
    ASSERT_EQ(columns.size(), Split(EventStream::TruthHeader(), ",").size());
    EXPECT_EQ(columns[0], event.id);
    for (size_t i = columns.size() - kTaskCount; i < columns.size(); ++i) {
      promised[event.id] += columns[i].empty() ? 0 : 1;
    }
  }

  std::erase_if(promised, [](const auto& one) { return one.second == 0; });
  EXPECT_EQ(seen, promised);
}

TEST_F(EventStreamTest, TellsAllImpressionsOfAFewSecondsAtAnEvenRateAndNothingLater) {
  constexpr int64_t kBeginMs = 1'800'000'000'000;
  platform_ =
      *Platform::Create({.seed = 7, .days = 14, .begin_ms = kBeginMs, .users = 60, .hosts = 50});

  const std::vector<Told> all = Tell({.impressions = 4000, .seconds = 20});

  std::array<int, 4> impressions{};  // of each five seconds
  int feedback = 0;
  for (const Told& told : all) {
    const int64_t since_ms = told.event.time_ms - kBeginMs;
    ASSERT_GE(since_ms, 0);
    ASSERT_LE(since_ms, 20'000);
    EXPECT_EQ(Column(told, "time_ms"), told.event.time_ms);
    if (told.event.feedback.has_value()) {
      ++feedback;
    } else {
      ++impressions.at(static_cast<size_t>(std::min<int64_t>(since_ms / 5000, 3)));
    }
  }
  EXPECT_THAT(impressions,
              ::testing::Each(::testing::AllOf(::testing::Ge(996), ::testing::Le(1004))));
  EXPECT_GT(feedback, 50);
}

TEST_F(EventStreamTest, RefusesDelaysThatItCannotRead) {
  EventStreamOptions options;

  for (const char* text : {"click", "klick:1", "click:0", "click:x", "click:1,"}) {
    EXPECT_THAT(SetDelays(text, options).message(), HasSubstr("expected TASK:SECONDS")) << text;
  }
}

}  // namespace
}  // namespace antiphon
