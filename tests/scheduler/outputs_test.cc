#include "scheduler/outputs.h"

#include <memory>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/base/crc32c.h"
#include "scheduler/event_record.h"
#include "scheduler/report.h"
#include "tests/support/fake_clock.h"
#include "tests/support/memory_file_system.h"

namespace antiphon {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

std::shared_ptr<const TrainingPlan> Plan() {
  auto plan = std::make_shared<TrainingPlan>();
  plan->set_job_name("small");
  plan->add_tasks("click");
  plan->add_tasks("gift");
  plan->add_scenes("home");
  return plan;
}

MetricsDelta Clicks(uint64_t count) {
  MetricsDelta delta;
  delta.set_samples(count);
  RankingMetrics metrics;
  for (uint64_t i = 0; i < count; ++i) {
    metrics.Add(i % 2 == 0 ? 1.0F : -1.0F, i % 2 == 0);
  }
  metrics.ToProto(*delta.add_tasks());
  return delta;
}

class OutputsTest : public ::testing::Test {
 protected:
  OutputsTest() : board_(Plan()) {
    CHECK(board_.AddTraining(Clicks(100)).ok());
    CHECK(board_.HoldEvaluation(1, Clicks(20)).ok());
    board_.CountEvaluation(1);
    board_.CloseEvaluation(0, 100);
    view_.state = JOB_RUNNING;
    view_.workers = 1;
    view_.samples = 100;
    view_.samples_planned = 300;
    view_.seconds = 4;
    view_.samples_per_second = 50;
    view_.metrics = &board_;
  }

  // The whole of a file.
  std::string Read(const std::string& path) {
    auto text = ReadWholeFile(fs_, path, 1 << 20);
    CHECK(text.ok()) << text.status();
    return *text;
  }

  FakeClock clock_;
  MemoryFileSystem fs_;
  MetricsBoard board_;
  JobView view_;
};

TEST_F(OutputsTest, ReportsNumbersAndNullsForWhatIsNotDefined) {
  const nlohmann::json report = nlohmann::json::parse(ReportJson(view_));

  EXPECT_EQ(report["samples"], 100);
  EXPECT_EQ(report["samples_per_second"], 25.0);
  EXPECT_EQ(report["eval"]["click"]["auc"], 1.0);
  EXPECT_EQ(report["eval"]["click"]["scenes"]["home"]["samples"], 20);
  EXPECT_TRUE(report["eval"]["gift"]["auc"].is_null());
  EXPECT_FALSE(report["eval"]["click"].contains("gauc"));
  EXPECT_EQ(report["epochs"][0]["epoch"], 0);
}

TEST_F(OutputsTest, ReportsAJobThatNeverRan) {
  JobView view;
  view.state = JOB_FAILED;
  view.reason = "no servers";
  const nlohmann::json report = nlohmann::json::parse(ReportJson(view));

  EXPECT_EQ(report["reason"], "no servers");
  EXPECT_TRUE(report["samples_per_second"].is_null());
}

TEST_F(OutputsTest, SaysInOneLineHowFarTheJobIs) {
  EXPECT_EQ(ProgressText(view_),
            "100 / 300 samples  50/s  loss 0.3133  click 1.0000  gift -  ETA 4.0 s");

  view_.workers = 0;
  EXPECT_THAT(ProgressText(view_), HasSubstr("no worker lives"));
}

TEST_F(OutputsTest, DrawsALiveLineAgainAndLeavesItAtTheEnd) {
  std::ostringstream out;
  Progress progress(&out, ProgressStyle::kLiveLine, seconds(5));
  const Time now = clock_.Now();
  EXPECT_TRUE(progress.Due(now));
  progress.Show(view_, now);
  EXPECT_FALSE(progress.Due(now + std::chrono::milliseconds(400)));
  EXPECT_TRUE(progress.Due(now + std::chrono::milliseconds(500)));
  view_.state = JOB_FINISHED;
  view_.samples = 300;

  progress.ShowEnd(view_);

  EXPECT_THAT(out.str(), HasSubstr("\r\x1b[K\x1b[?7l300 / 300 samples"));
  EXPECT_THAT(out.str(), HasSubstr("\nheld-out evaluation\nTASK   SCENE  SAMPLES     AUC"));
  EXPECT_THAT(out.str(), HasSubstr("\nfinished: 300 samples in 4.0 s\n"));
}

TEST_F(OutputsTest, SaysOnlyOnceThatTheJobWaits) {
  std::ostringstream out;
  Progress progress(&out, ProgressStyle::kLines, seconds(5));
  JobView view;
  view.servers_expected = 2;
  view.workers_expected = 1;
  progress.Show(view, clock_.Now());
  progress.Show(view, clock_.Now() + seconds(5));

  EXPECT_EQ(out.str(), "waiting: 0 of 2 servers, 0 of 1 workers\n");
}

// Takes the records of an event file apart, checking both checksums of each.
std::vector<TensorBoardEvent> Decode(const std::string& file) {
  const auto number = [&](size_t at, size_t bytes) {
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; ++i) {
      value |= uint64_t{static_cast<unsigned char>(file[at + i])} << (8 * i);
    }
    return value;
  };
  const auto masked = [&](size_t at, size_t bytes) {
    return MaskedCrc(Crc32c(std::as_bytes(std::span(file.data() + at, bytes))));
  };
  std::vector<TensorBoardEvent> events;
  for (size_t at = 0; at < file.size();) {
    const size_t length = number(at, 8);
    EXPECT_EQ(number(at + 8, 4), masked(at, 8));
    EXPECT_EQ(number(at + 12 + length, 4), masked(at + 12, length));
    EXPECT_TRUE(events.emplace_back().ParseFromString(file.substr(at + 12, length)));
    at += 12 + length + 4;
  }
  return events;
}

TEST_F(OutputsTest, WritesEventsThatTensorBoardReads) {
  EventLog log("/events", fs_, clock_);

  ASSERT_TRUE(log.Write(view_).ok());
  ASSERT_TRUE(log.Write(view_).ok());
  view_.samples = 200;
  ASSERT_TRUE(log.Write(view_).ok());

  const auto names = fs_.List("/events");
  ASSERT_TRUE(names.ok());
  ASSERT_EQ(names->size(), 1u);
  EXPECT_THAT(names->front(), HasSubstr("events.out.tfevents."));
  const std::vector<TensorBoardEvent> events = Decode(Read("/events/" + names->front()));
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(events[0].file_version(), "brain.Event:2");
  EXPECT_EQ(events[1].step(), 100);
  EXPECT_EQ(events[1].summary().value(0).tag(), "eval/click/loss");
  EXPECT_EQ(events[1].summary().value(1).tag(), "eval/click/auc");
  EXPECT_EQ(events[1].summary().value(1).simple_value(), 1.0F);
  EXPECT_EQ(events[3].step(), 200);
  EXPECT_EQ(events[3].summary().value(0).tag(), "train/click/loss");
}

// A record as TensorFlow 1.x wrote it: the first event of every file, with wall time 0.
TEST_F(OutputsTest, FramesARecordAsTensorFlowDoes) {
  const std::string record =
      EventRecord("\x09" + std::string(8, '\0') + "\x1a\x0d" + "brain.Event:2");

  EXPECT_EQ(record.size(), 24u + 16u);
  EXPECT_EQ(record.substr(0, 8), std::string("\x18\0\0\0\0\0\0\0", 8));
  EXPECT_EQ(record.substr(8, 4), "\xa3\x7f\x4b\x22");
}

TEST_F(OutputsTest, TellsThatTheReportCouldNotBeWritten) {
  Outputs outputs({.report_path = "/missing/report.json", .tensorboard_dir = ""}, fs_, clock_);

  outputs.End(view_);

  ASSERT_FALSE(outputs.status().ok());
  EXPECT_THAT(outputs.status().message(), HasSubstr("--report"));
}

}  // namespace
}  // namespace antiphon
