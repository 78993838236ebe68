#include "simulation/judgement.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "simulation/sample_set.h"
#include "simulation/truth_report.h"

namespace antiphon {
namespace {

using testing::HasSubstr;

constexpr int64_t kRequests = 50;

class JudgementTest : public testing::Test {
 protected:
  JudgementTest() {
    StatusOr<std::unique_ptr<Platform>> platform =
        Platform::Create({.seed = 2, .days = 2, .users = 300, .hosts = 60, .avatars = 3});
    CHECK(platform.ok()) << platform.status();
    platform_ = std::move(platform).value();
  }

  double Click(Showing showing, int avatar, int text) const {
    showing.avatar = avatar;
    showing.text = text;
    return platform_->truth().ChancesOf(showing).click;
  }

  // The choices of somebody who sees `worth` of a triplet and takes the highest.
  using WorthOf = std::function<double(const Showing&, int avatar, int text)>;
  std::string Choices(const WorthOf& worth) const {
    std::string csv = "record,host_id,avatar_id,text_id,click\n";
    std::vector<Impression> candidates;
    int record = 0;
    for (int64_t i = 0; i < kRequests; ++i) {
      DrawCandidates(*platform_, kRequests, i, candidates);
      for (const Impression& candidate : candidates) {
        int avatar = 0;
        int text = 0;
        for (int choice = 0; choice < 3 * 4; ++choice) {
          if (worth(candidate.showing, choice % 3, choice / 3) >
              worth(candidate.showing, avatar, text)) {
            avatar = choice % 3;
            text = choice / 3;
          }
        }
        const uint32_t host = candidate.showing.host->id;
        csv += std::to_string(record++) + "," + std::to_string(host) + "," +
               std::to_string(host * 3 + static_cast<uint32_t>(avatar)) + "," +
               std::to_string(host * 4 + static_cast<uint32_t>(text)) + "," +
               std::to_string(worth(candidate.showing, avatar, text)) + "\n";
      }
    }
    return csv;
  }

  std::string ErrorOf(const std::string& choices) const {
    return JudgeChoices(*platform_, kRequests, choices, "click", Task::kClick).status().message();
  }

  std::unique_ptr<Platform> platform_;
};

TEST_F(JudgementTest, WhoKnowsTheTruthChoosesTheBestAndItsOppositeLessThanChance) {
  const auto truth = [this](const Showing& showing, int avatar, int text) {
    return Click(showing, avatar, text);
  };
  const auto opposite = [&truth](const Showing& showing, int avatar, int text) {
    return -truth(showing, avatar, text);
  };

  const StatusOr<Judgement> good =
      JudgeChoices(*platform_, kRequests, Choices(truth), "click", Task::kClick);
  const StatusOr<Judgement> bad =
      JudgeChoices(*platform_, kRequests, Choices(opposite), "click", Task::kClick);

  ASSERT_TRUE(good.ok() && bad.ok()) << good.status() << bad.status();
  EXPECT_EQ(good->of_host.occasions, kRequests * kImpressionsPerRequest);
  EXPECT_EQ(good->of_request.occasions, kRequests);
  EXPECT_NEAR(good->of_host.Share(), 1, 1e-12);
  EXPECT_NEAR(good->of_request.Share(), 1, 1e-3) << "scores are written with six digits";
  EXPECT_NEAR(good->of_host.random, good->of_request.random, 1e-12);
  EXPECT_GT(good->of_request.best, good->of_host.best);
  EXPECT_GT(good->of_host.best, 1.3 * good->of_host.random);
  EXPECT_LT(bad->of_host.chosen, bad->of_host.random);
  EXPECT_LT(bad->of_request.chosen, bad->of_host.chosen);
}

TEST_F(JudgementTest, ScenesAddUpAndAnotherTaskHasItsOwnProbability) {
  const std::string choices = Choices([this](const Showing& showing, int avatar, int text) {
    return Click(showing, avatar, text);
  });

  const StatusOr<Judgement> click =
      JudgeChoices(*platform_, kRequests, choices, "click", Task::kClick);
  const StatusOr<Judgement> watch =
      JudgeChoices(*platform_, kRequests, choices, "click", Task::kLongWatch);

  ASSERT_TRUE(click.ok() && watch.ok()) << click.status() << watch.status();
  int64_t requests = 0;
  double sum = 0;
  for (const Worth& worth : click->of_scene) {
    requests += worth.occasions;
    sum += worth.chosen * static_cast<double>(worth.occasions);
  }
  EXPECT_EQ(requests, kRequests);
  EXPECT_NEAR(sum / kRequests, click->of_request.chosen, 1e-12);
  EXPECT_GT(watch->of_request.chosen, watch->of_request.random);
  EXPECT_LT(watch->of_request.chosen, click->of_request.chosen);
  EXPECT_LT(watch->of_request.Share(), click->of_request.Share());
}

TEST_F(JudgementTest, NamesTheLineThatDoesNotFit) {
  const std::string good = Choices([](const Showing&, int, int) { return 0.5; });
  const std::string first = good.substr(0, good.find('\n') + 1);
  const std::string lines = good.substr(first.size());

  EXPECT_THAT(ErrorOf("record,host_id,text_id\n" + lines), HasSubstr("no column \"avatar_id\""));
  EXPECT_THAT(ErrorOf(first), HasSubstr("line 2: is missing"));
  EXPECT_THAT(ErrorOf(good + lines.substr(0, lines.find('\n') + 1)),
              HasSubstr("line 202: is one more"));
  EXPECT_THAT(ErrorOf(first + "0,x,1,1,1\n" + lines), HasSubstr("line 2: host_id"));
  EXPECT_THAT(ErrorOf(first + "0,999,1,1,1\n" + lines), HasSubstr("requests.csv has host"));
  EXPECT_THAT(JudgeChoices(*platform_, 0, good, "click", Task::kClick).status().message(),
              HasSubstr("no requests.csv"));
}

TEST_F(JudgementTest, ThePlatformIsReadBackFromItsTruth) {
  ScoreBoard board;
  board.Add(Impression());
  PlatformOptions options = platform_->options();
  options.character = 0.5;
  options.lifetime_days = 3;
  const std::string report = TruthReport(options, kRequests, {}, board);

  const StatusOr<ToldPlatform> told = ReadPlatform(report);

  ASSERT_TRUE(told.ok()) << told.status();
  EXPECT_EQ(told->options.seed, 2U);
  EXPECT_EQ(told->options.avatars, 3);
  EXPECT_EQ(told->options.character, 0.5);
  EXPECT_EQ(told->options.lifetime_days, 3);
  EXPECT_EQ(told->requests, kRequests);
  EXPECT_EQ(told->eval_samples, 1);
  EXPECT_THAT(ReadPlatform("{}").status().message(), HasSubstr("no number \"seed\""));
}

}  // namespace
}  // namespace antiphon
