#include "tools/ctl/tasks_page.h"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace antiphon {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

void AddLine(google::protobuf::RepeatedPtrField<MetricLine>& lines, const std::string& scene,
             double auc) {
  MetricLine& line = *lines.Add();
  line.set_task("click");
  line.set_scene(scene);
  line.set_samples(500);
  line.set_auc(auc);
  line.set_logloss(std::numeric_limits<double>::quiet_NaN());
  line.set_pcoc(1.01);
}

ClusterStatus Watched() {
  ClusterStatus status;
  MetricWindow& closed = *status.add_windows();
  closed.set_begin_seconds(1'700'000'000);
  closed.set_samples(500);
  AddLine(*closed.mutable_metrics(), "", 0.71);
  AddLine(*closed.mutable_metrics(), "home", 0.72);
  MetricWindow& open = *status.add_windows();
  open.set_begin_seconds(1'700'000'060);
  open.set_open(true);
  AddLine(*open.mutable_metrics(), "", 0.73);
  AddLine(*status.mutable_fading(), "", 0.74);
  AddLine(*status.mutable_fading(), "home", 0.75);
  status.add_alarms("click: PCOC 1.3000, expected at most 1.1000");
  status.set_event_lag_seconds(3);
  status.set_sample_age_p50_seconds(2);
  status.set_sample_age_p99_seconds(8);
  return status;
}

TEST(TasksPageTest, ShowsWindowsTotalsAlarmsAndAges) {
  const std::string text = TasksText(Watched());

  EXPECT_THAT(text, HasSubstr("alarm: click: PCOC 1.3000"));
  EXPECT_THAT(text, HasSubstr("2023-11-14 22:13:20 "));
  EXPECT_THAT(text, HasSubstr("2023-11-14 22:14:20 (open)"));
  EXPECT_THAT(text, HasSubstr("fading"));
  EXPECT_THAT(text, HasSubstr("0.7500")) << "scenes of the fading totals";
  EXPECT_THAT(text, Not(HasSubstr("0.7200"))) << "no scenes of windows";
  EXPECT_THAT(text, HasSubstr("newest event 3"));
}

TEST(TasksPageTest, AJobThatIsNotWatchedShowsItsTotals) {
  ClusterStatus status;
  AddLine(*status.mutable_metrics(), "", 0.71);

  EXPECT_THAT(TasksText(status), HasSubstr("since the start"));
}

TEST(TasksPageTest, JsonHasTheScenesOfWindowsToo) {
  const auto json = nlohmann::json::parse(TasksJson(Watched()));

  EXPECT_EQ(json["schema"], 1);
  EXPECT_EQ(json["windows"][0]["begin_seconds"], 1'700'000'000);
  EXPECT_EQ(json["windows"][0]["metrics"][1]["scene"], "home");
  EXPECT_TRUE(json["windows"][0]["metrics"][0]["logloss"].is_null());
  EXPECT_EQ(json["windows"][1]["open"], true);
  EXPECT_EQ(json["fading"][0]["auc"], 0.74);
  EXPECT_EQ(json["sample_age_seconds"]["p99"], 8);
  EXPECT_EQ(json["alarms"][0], "click: PCOC 1.3000, expected at most 1.1000");
}

}  // namespace
}  // namespace antiphon
