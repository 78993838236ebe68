#include "simulation/comparison.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "simulation/task.h"

namespace antiphon {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using Json = nlohmann::json;

Json Scores(double auc) {
  return {{"samples", 100}, {"positives", 10}, {"auc", auc}, {"logloss", 0.2}};
}

// Every task and scene has the same AUC; the playlist has few training samples.
Json Truth(double auc) {
  Json truth = {{"train", {{"samples", 90000}}}};
  for (const Scene scene : kScenes) {
    truth["train"]["scenes"][std::string(SceneName(scene))]["samples"] =
        scene == Scene::kPlaylist ? 5000 : 30000;
  }
  for (const Task task : kTasks) {
    Json& of_task = truth["eval"][std::string(TaskName(task))];
    of_task = Scores(auc);
    for (const Scene scene : kScenes) {
      of_task["scenes"][std::string(SceneName(scene))] = Scores(auc);
    }
  }
  return truth;
}

TEST(ComparisonTest, ShareIsOneForTheTruthItself) {
  const auto rows = CompareWithTruth(Truth(0.8).dump(), Truth(0.8).dump());

  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_THAT(*rows, SizeIs(kTaskCount * (kSceneCount + 1)));
  for (const ComparisonRow& row : *rows) {
    EXPECT_DOUBLE_EQ(*row.Share(), 1) << row.task << " " << row.scene;
  }
}

TEST(ComparisonTest, ACoinHasNoShareAndAWorseModelANegativeOne) {
  const auto coin = CompareWithTruth(Truth(0.5).dump(), Truth(0.8).dump());
  const auto worse = CompareWithTruth(Truth(0.35).dump(), Truth(0.8).dump());

  EXPECT_DOUBLE_EQ(*(*coin)[0].Share(), 0);
  EXPECT_DOUBLE_EQ(*(*worse)[0].Share(), -0.5);
}

TEST(ComparisonTest, AnAucThatIsNotDefinedIsNoNumber) {
  Json report = Truth(0.7);
  report["eval"]["gift"]["scenes"]["home"]["auc"] = nullptr;

  const auto rows = CompareWithTruth(report.dump(), Truth(0.8).dump());

  ASSERT_TRUE(rows.ok()) << rows.status();
  for (const ComparisonRow& row : *rows) {
    EXPECT_EQ(row.Share().has_value(), !(row.task == "gift" && row.scene == "home"));
  }
}

TEST(ComparisonTest, NamesTheBigScenesThatMissTheirShare) {
  Json report = Truth(0.78);
  report["eval"]["click"]["scenes"]["home"]["auc"] = 0.76;      // 86.7 %
  report["eval"]["click"]["scenes"]["playlist"]["auc"] = 0.51;  // too few training samples
  report["eval"]["gift"]["scenes"]["home"]["auc"] = 0.51;       // not a click

  const auto rows = CompareWithTruth(report.dump(), Truth(0.8).dump());

  EXPECT_THAT(MissedClickShares(*rows, 0.9, 20000),
              ElementsAre("click in scene home reaches 86.7 % of what is attainable, "
                          "expected at least 90.0 %"));
  EXPECT_THAT(MissedClickShares(*rows, 0.8, 20000), IsEmpty());
  EXPECT_THAT(MissedClickShares(*rows, 0.8, 1000), SizeIs(1));
}

TEST(ComparisonTest, TableHasALineForEveryTaskAndScene) {
  const auto rows = CompareWithTruth(Truth(0.74).dump(), Truth(0.8).dump());

  const std::string table = ComparisonTable(*rows);

  EXPECT_THAT(table, HasSubstr("click       song_page          30000          100         10   "
                               "0.7400     0.8000   80.0 %\n"));
  EXPECT_THAT(table, HasSubstr("follow      total"));
}

TEST(ComparisonTest, LeavesOutTasksThatTheModelDoesNotHave) {
  Json report = Truth(0.7);
  report["eval"].erase("gift");

  const auto rows = CompareWithTruth(report.dump(), Truth(0.8).dump());
  const auto none = CompareWithTruth("{}", Truth(0.8).dump());

  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_EQ(rows->size(), 4U * (kSceneCount + 1));
  EXPECT_THAT(ComparisonTable(*rows), Not(HasSubstr("gift")));
  EXPECT_THAT(none.status().message(), HasSubstr("none of the truth's tasks"));
}

TEST(ComparisonTest, NamesWhatIsMissing) {
  Json report = Truth(0.7);
  report["eval"]["comment"]["scenes"].erase("live_tab");

  const Status missing = CompareWithTruth(report.dump(), Truth(0.8).dump()).status();
  const Status junk = CompareWithTruth("not json", Truth(0.8).dump()).status();
  const Status no_truth = CompareWithTruth(Truth(0.7).dump(), "{}").status();

  EXPECT_EQ(missing.message(), "report: no number at /eval/comment/scenes/live_tab/auc");
  EXPECT_EQ(junk.message(), "report is not a JSON object");
  EXPECT_EQ(no_truth.message(), "truth: no whole number at /train/samples");
}

TEST(ComparisonTest, RefusesAReportOfOtherSamples) {
  Json report = Truth(0.7);
  report["eval"]["click"]["samples"] = 99;

  const Status status = CompareWithTruth(report.dump(), Truth(0.8).dump()).status();

  EXPECT_THAT(status.message(), HasSubstr("report /eval/click/samples is 99, expected"));
}

}  // namespace
}  // namespace antiphon
