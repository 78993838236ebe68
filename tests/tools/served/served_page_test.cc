#include "tools/served/served_page.h"

#include <cmath>
#include <filesystem>
#include <sstream>
#include <string>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"
#include "tests/versions/version_maker.h"
#include "tools/score/serving_status.h"

namespace antiphon {
namespace {

using testing::HasSubstr;

TEST(ServedPageTest, ReadsWhatAServerSays) {
  LiveReport report;
  report.model_name = "live";
  report.version = 12;
  report.base = 9;
  report.sequence = 3;
  report.rows = 41;
  report.cut_ms = 5000;
  report.failures = {{"torn", 2}, {"stale", 1}};
  report.last_error = "it is torn";
  report.freshness.Add(4000, 100);

  ServedLine line = LineOfHealth("a:1", ServingHealth(report, 9000)).value();
  EXPECT_EQ(line.model + line.version + line.base, "live129");
  EXPECT_EQ(line.sequence, 3U);
  EXPECT_EQ(line.rows, 41U);
  EXPECT_EQ(line.age_seconds, 4);
  EXPECT_NEAR(line.freshness_p99_seconds, 4, 0.9);
  EXPECT_EQ(line.failures, 3U);
  EXPECT_EQ(line.error, "");  // it has healed

  report.failing = true;
  report.freshness = AgeHistogram();
  line = LineOfHealth("a:1", ServingHealth(report, 9000)).value();
  EXPECT_EQ(line.error, "it is torn");
  EXPECT_TRUE(std::isnan(line.freshness_p50_seconds));
}

TEST(ServedPageTest, RefusesTheAnswerOfSomethingElse) {
  for (const char* answer : {"", "ok", "[]", "{\"status\": \"ok\"}"}) {
    EXPECT_EQ(LineOfHealth("a:1", answer).status().code(), StatusCode::kDataLoss) << answer;
  }
  // Nor does it fall over one that only looks like it.
  const StatusOr<ServedLine> line = LineOfHealth(
      "a:1", R"({"freshness": 3, "sequence": "x", "model": [1], "load_failures": "many"})");
  ASSERT_TRUE(line.ok());
  EXPECT_EQ(line->model, "");
  EXPECT_TRUE(std::isnan(line->freshness_p50_seconds));
}

TEST(ServedPageTest, ADirectoryIsAsFreshAsWhenItBecameCurrent) {
  VersionMaker maker(::testing::TempDir() + "antiphon_served_" + std::to_string(::getpid()));
  const VersionLink full = maker.Full({.number = 3, .rows = {1, 2, 3}});
  maker.Step(full, {.number = 4, .rows = {1}, .cut_ms = 10'000, .sample_ages_ms = {1000}});
  maker.SetCurrent(4);

  const StatusOr<ServedLine> line = LineOfDirectory(maker.fs(), maker.directory(), 13'000, 20'000);

  ASSERT_TRUE(line.ok()) << line.status();
  EXPECT_EQ(line->version, "4");
  EXPECT_EQ(line->base, "3");
  EXPECT_EQ(line->sequence, 1U);
  EXPECT_EQ(line->rows, 3U);
  EXPECT_EQ(line->age_seconds, 10);
  EXPECT_NEAR(line->freshness_p50_seconds, 4, 0.9);
  std::filesystem::remove_all(maker.directory());
}

TEST(ServedPageTest, WhatIsNotThereStandsBesideWhatIs) {
  VersionMaker maker(::testing::TempDir() + "antiphon_served_page_" + std::to_string(::getpid()));
  maker.Full({.number = 3, .rows = {1, 2, 3}});
  maker.SetCurrent(3);
  FakeClock clock;
  std::ostringstream text;
  ServedOptions options = {.servers = {"nonsense"}, .directories = {maker.directory()}};

  EXPECT_EQ(ShowServed(options, maker.fs(), clock, text), CtlExit::kDegraded);
  EXPECT_THAT(text.str(), HasSubstr("nonsense: \"nonsense\" is no address"));
  EXPECT_THAT(text.str(), HasSubstr("small"));

  options = {.servers = {}, .directories = {"/nowhere"}, .format = OutputFormat::kJson};
  std::ostringstream json;
  EXPECT_EQ(ShowServed(options, maker.fs(), clock, json), CtlExit::kUnreachable);
  EXPECT_THAT(json.str(), HasSubstr("/nowhere/CURRENT"));
  std::filesystem::remove_all(maker.directory());
}

}  // namespace
}  // namespace antiphon
