#include "scheduler/metric_windows.h"

#include <cmath>
#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scheduler/drift_check.h"

namespace antiphon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::shared_ptr<TrainingPlan> OneTask() {
  auto plan = std::make_shared<TrainingPlan>();
  plan->add_tasks("click");
  return plan;
}

// `count` samples, half of them positive. A good model ranks these first; a bad one does not. Both
// predict `level` times as many positives as there are.
MetricPart Part(uint64_t count, bool good, double level = 1) {
  MetricPart part;
  const double p = level / 2;
  const auto logit = static_cast<float>(std::log(p / (1 - p)));
  for (uint64_t i = 0; i < count; ++i) {
    const bool positive = i % 2 == 0;
    part.sums.probability.Add(logit + ((positive == good) ? 0.01F : -0.01F), positive);
  }
  return part;
}

MetricPart PartOf(int64_t window, uint64_t count, bool good) {
  MetricPart part = Part(count, good);
  part.window = window;
  return part;
}

TEST(MetricWindowsTest, ClosesAWindowWhenItHasItsSamples) {
  const auto plan = OneTask();
  plan->mutable_watch()->set_window_samples(100);
  MetricWindows windows(plan);
  windows.Add({Part(60, true)}, 60);
  windows.Add({Part(60, true)}, 60);
  windows.Add({Part(10, false)}, 10);

  const std::vector<MetricWindowView> newest = windows.Newest(10);
  ASSERT_EQ(newest.size(), 2u);
  EXPECT_EQ(newest[0].number, 0);
  EXPECT_EQ(newest[0].samples, 120u);
  EXPECT_FALSE(newest[0].open);
  EXPECT_EQ(newest[0].tasks[0].all.auc, 1);
  EXPECT_EQ(newest[1].number, 1);
  EXPECT_EQ(newest[1].samples, 10u);
  EXPECT_TRUE(newest[1].open);
  EXPECT_EQ(newest[1].tasks[0].all.auc, 0);
  EXPECT_EQ(windows.Newest(1).front().number, 1);
}

TEST(MetricWindowsTest, KeepsTheNewestWindows) {
  const auto plan = OneTask();
  plan->mutable_watch()->set_window_samples(10);
  plan->mutable_watch()->set_keep_windows(3);
  MetricWindows windows(plan);
  for (int i = 0; i < 8; ++i) {
    windows.Add({Part(10, true)}, 10);
  }

  const std::vector<MetricWindowView> newest = windows.Newest(100);
  ASSERT_EQ(newest.size(), 3u);
  EXPECT_EQ(newest.front().number, 5);
}

TEST(MetricWindowsTest, WindowsOfEventTimeFillInAnyOrderWhileTheyAreOpen) {
  const auto plan = OneTask();
  plan->mutable_watch()->set_window_seconds(60);
  MetricWindows windows(plan);
  for (const int64_t window : {7, 5, 6, 5, 8}) {
    windows.Add({PartOf(window, 10, true)}, 10);
  }
  EXPECT_TRUE(windows.Newest(1).front().open);
  windows.Add({PartOf(9, 10, true)}, 10);  // a fifth window: the oldest closes
  windows.Add({PartOf(5, 4, true)}, 4);

  const std::vector<MetricWindowView> newest = windows.Newest(10);
  ASSERT_EQ(newest.size(), 5u);
  EXPECT_EQ(newest[0].number, 5);
  EXPECT_FALSE(newest[0].open);
  EXPECT_EQ(newest[0].samples, 20u);
  EXPECT_EQ(windows.late_samples(), 4u);
  EXPECT_EQ(windows.Fading()[0].all.samples, 64u) << "what is late counts in the totals";
}

TEST(MetricWindowsTest, OldSamplesFade) {
  const auto plan = OneTask();
  plan->mutable_watch()->set_half_life_samples(100);
  MetricWindows windows(plan);
  windows.Add({Part(100, false)}, 100);
  EXPECT_NEAR(windows.Fading()[0].all.auc, 0, 1e-6);
  windows.Add({Part(100, true)}, 100);
  // 25 and 25 of the old ones at half weight, ranked wrongly, beside 50 and 50 of the new ones.
  const double half = windows.Fading()[0].all.auc;
  for (int i = 0; i < 20; ++i) {
    windows.Add({Part(100, true)}, 100);
  }

  EXPECT_GT(half, 0.5);
  EXPECT_NEAR(windows.Fading()[0].all.auc, 1, 1e-4);
}

TEST(MetricWindowsTest, RaisesAndEndsAnAlarm) {
  const auto plan = OneTask();
  plan->mutable_watch()->set_window_samples(1000);
  DriftAlarm& drift = *plan->mutable_watch()->add_drift();
  drift.set_tower_name("click");
  drift.set_max_auc_drop(0.1);
  drift.set_max_pcoc(1.2);
  MetricWindows windows(plan);
  windows.Add({Part(1000, true)}, 1000);
  EXPECT_THAT(windows.alarms(), IsEmpty()) << "nothing to compare with yet";
  windows.Add({Part(1000, false)}, 1000);
  EXPECT_THAT(windows.alarms(), ElementsAre("click: AUC 0.0000, expected at least 0.9000"));
  EXPECT_THAT(windows.TakeNews(),
              ElementsAre("drift: click: AUC 0.0000, expected at least 0.9000"));
  EXPECT_THAT(windows.TakeNews(), IsEmpty());
  windows.Add({Part(1000, true, 1.5)}, 1000);
  EXPECT_THAT(windows.alarms(), ElementsAre(HasSubstr("click: PCOC 1.5")));
  windows.TakeNews();
  windows.Add({Part(1000, true)}, 1000);
  EXPECT_THAT(windows.alarms(), IsEmpty());
  EXPECT_THAT(windows.TakeNews(), ElementsAre(HasSubstr("over")));
}

TEST(MetricWindowsTest, AWindowWithFewPositivesSaysNothing) {
  const auto plan = OneTask();
  plan->mutable_watch()->set_window_samples(100);
  DriftAlarm& drift = *plan->mutable_watch()->add_drift();
  drift.set_tower_name("click");
  drift.set_min_pcoc(5);
  MetricWindows windows(plan);
  windows.Add({Part(150, true)}, 150);
  EXPECT_THAT(windows.alarms(), IsEmpty());
  windows.Add({Part(250, true)}, 250);
  EXPECT_THAT(windows.alarms(), ElementsAre(HasSubstr("PCOC")));
}

TEST(CheckPromotionTest, NamesEveryConditionThatIsNotMet) {
  const auto plan = OneTask();
  Promotion& gate = *plan->add_promotion();
  gate.set_tower_name("click");
  gate.set_min_auc(0.7);
  gate.set_max_logloss(0.6);
  gate.set_min_pcoc(0.9);
  gate.set_max_pcoc(1.1);
  gate.set_min_samples(50);
  MetricWindows windows(plan);
  EXPECT_THAT(CheckPromotion(*plan, windows.Fading()),
              ElementsAre("click: 0 samples, expected at least 50"));
  windows.Add({Part(100, false)}, 100);
  EXPECT_THAT(CheckPromotion(*plan, windows.Fading()),
              ElementsAre(HasSubstr("AUC"), HasSubstr("log loss")));

  MetricWindows good(plan);
  good.Add({Part(100, true)}, 100);
  gate.set_max_logloss(0.7);
  EXPECT_THAT(CheckPromotion(*plan, good.Fading()), IsEmpty());
}

}  // namespace
}  // namespace antiphon
