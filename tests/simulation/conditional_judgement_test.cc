#include "simulation/conditional_judgement.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "simulation/sample_set.h"

namespace antiphon {
namespace {

using testing::HasSubstr;

constexpr int64_t kSamples = 400;

class ConditionalJudgementTest : public testing::Test {
 protected:
  ConditionalJudgementTest() {
    StatusOr<std::unique_ptr<Platform>> platform =
        Platform::Create({.seed = 2, .days = 2, .users = 300, .hosts = 60});
    CHECK(platform.ok()) << platform.status();
    platform_ = std::move(platform).value();
  }

  // A file that gives every held-out sample this score.
  using ScoreOf = std::function<double(const Impression&)>;
  std::string Scores(const ScoreOf& score) const {
    std::string csv = "record,cvr\n";
    int record = 0;
    ForEachHeldOut(*platform_, kSamples, [&](const Impression& impression) {
      csv += std::to_string(record++) + "," + std::to_string(score(impression)) + "\n";
    });
    return csv;
  }

  StatusOr<ConditionalJudgement> Judge(const std::string& scores,
                                       Task task = Task::kLongWatch) const {
    return JudgeConditional(*platform_, kSamples, scores, "cvr", task);
  }

  std::unique_ptr<Platform> platform_;
};

double WatchGivenClick(const Impression& impression) {
  return impression.chances.after_click[static_cast<size_t>(Task::kLongWatch)];
}

TEST_F(ConditionalJudgementTest, WhoKnowsTheTruthReachesTheBestAndItsOppositeIsAsFarBelowACoin) {
  const auto good = Judge(Scores(WatchGivenClick));
  const auto bad = Judge(Scores([](const Impression& i) { return -WatchGivenClick(i); }));

  ASSERT_TRUE(good.ok() && bad.ok()) << good.status() << bad.status();
  EXPECT_EQ(good->samples, kSamples);
  EXPECT_NEAR(*good->of_all.auc, *good->of_all.best, 1e-5) << "scores are written with six digits";
  EXPECT_NEAR(*good->of_clicked.auc, *good->of_clicked.best, 1e-5);
  EXPECT_GT(*good->of_all.best, 0.65);
  EXPECT_NEAR(*bad->of_all.auc, 1 - *good->of_all.auc, 1e-5);
}

// By its definition, over all pairs of two impressions.
TEST_F(ConditionalJudgementTest, PairsOfImpressionsCountAsOftenAsTheyAreDrawn) {
  const auto score = [](const Impression& i) {
    return static_cast<double>(i.showing.host->id % 7);
  };
  std::vector<Impression> held_out;
  ForEachHeldOut(*platform_, kSamples, [&](const Impression& i) { held_out.push_back(i); });
  double right = 0;
  double pairs = 0;
  for (const Impression& positive : held_out) {
    for (const Impression& negative : held_out) {
      if (&positive == &negative) {
        continue;
      }
      const double pair = positive.chances.click * WatchGivenClick(positive) *
                          negative.chances.click * (1 - WatchGivenClick(negative));
      pairs += pair;
      right += score(positive) > score(negative) ? pair : 0;
      right += score(positive) == score(negative) ? pair / 2 : 0;
    }
  }

  const auto judgement = Judge(Scores(score));

  ASSERT_TRUE(judgement.ok()) << judgement.status();
  EXPECT_NEAR(*judgement->of_clicked.auc, right / pairs, 1e-9);
}

TEST_F(ConditionalJudgementTest, NamesWhatDoesNotFit) {
  const std::string good = Scores(WatchGivenClick);

  EXPECT_THAT(Judge("record,ctr\n").status().message(), HasSubstr("no column \"cvr\""));
  EXPECT_THAT(Judge("record,cvr\n0,much\n").status().message(),
              HasSubstr("line 2: the score has to be a number, got \"much\""));
  EXPECT_THAT(Judge("record,cvr\n0,0.5\n").status().message(),
              HasSubstr("line 3: is missing, expected one for each line of eval.csv"));
  EXPECT_THAT(Judge(good + "400,0.5\n").status().message(), HasSubstr("line 402: is one more"));
  EXPECT_THAT(Judge(good, Task::kClick).status().message(), HasSubstr("given a click"));
}

}  // namespace
}  // namespace antiphon
