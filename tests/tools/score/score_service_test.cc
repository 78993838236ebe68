#include "tools/score/score_service.h"

#include <filesystem>
#include <memory>
#include <string>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/math/gemm.h"
#include "tests/support/fake_clock.h"
#include "tests/versions/version_maker.h"

namespace antiphon {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class ScoreServiceTest : public ::testing::Test {
 protected:
  ScoreServiceTest()
      : maker_(::testing::TempDir() + "antiphon_score_" +
               ::testing::UnitTest::GetInstance()->current_test_info()->name() + "_" +
               std::to_string(::getpid())),
        first_(maker_.Full({.number = 1, .stamp = 0.1F, .rows = {1}})) {
    maker_.SetCurrent(1);
    live_ = LiveModel::Open({.folder = maker_.directory()}, maker_.fs(), clock_).value();
    service_ = ScoreService::Create(*live_, gemm_, clock_, 2).value();
  }
  ~ScoreServiceTest() override { std::filesystem::remove_all(maker_.directory()); }

  void PublishStep() {
    maker_.Step(first_, {.number = 2, .stamp = 0.7F, .rows = {1}});
    maker_.SetCurrent(2);
    ASSERT_TRUE(live_->Refresh().ok());
  }
  json Score() {
    const StatusOr<std::string> answer = service_->Score(R"({"samples": [{"user": "u1"}]})");
    EXPECT_TRUE(answer.ok()) << answer.status();
    return json::parse(*answer);
  }

  FakeClock clock_;
  VersionMaker maker_;
  const VersionLink first_;
  const Gemm gemm_ = Gemm::Create(GemmBackend::kEigen);
  std::unique_ptr<LiveModel> live_;
  std::unique_ptr<ScoreService> service_;
};

TEST_F(ScoreServiceTest, ARequestIsScoredByTheVersionThatItNames) {
  const json before = Score();
  EXPECT_EQ(before["version"], "1");
  PublishStep();
  const json after = Score();
  EXPECT_EQ(after["version"], "2");
  EXPECT_GT(after["predictions"]["click"][0], before["predictions"]["click"][0]);
}

TEST_F(ScoreServiceTest, IdleScorersLetGoOfTheVersionBefore) {
  PublishStep();
  EXPECT_EQ(live_->newest().kept(), 1U);
  service_->Renew();
  EXPECT_EQ(live_->Refresh().value(), false);
  EXPECT_EQ(live_->newest().kept(), 0U);
  EXPECT_EQ(Score()["version"], "2");
}

TEST_F(ScoreServiceTest, HealthAndMetricsSayWhatIsServedAndWhatWentWrong) {
  PublishStep();
  json health = json::parse(service_->Health());
  EXPECT_EQ(health["status"], "ok");
  EXPECT_EQ(health["version"], "2");
  EXPECT_EQ(health["base"], "1");
  EXPECT_EQ(health["sequence"], 1);
  EXPECT_TRUE(health["freshness"]["last"]["p50_seconds"].is_null());
  EXPECT_THAT(service_->Metrics(), HasSubstr("antiphon_serving_sequence 1\n"));

  maker_.SetCurrent(9);
  EXPECT_FALSE(live_->Refresh().ok());

  health = json::parse(service_->Health());
  EXPECT_EQ(health["status"], "behind");
  EXPECT_EQ(health["version"], "2");
  EXPECT_THAT(health["last_error"], HasSubstr("version-9"));
  EXPECT_THAT(service_->Metrics(),
              HasSubstr("antiphon_serving_load_failures_total{fault=\"missing\"} 1\n"));
}

}  // namespace
}  // namespace antiphon
