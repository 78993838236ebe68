#include "serving/live_model.h"

#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <unistd.h>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "serving/signature.h"
#include "serving/version_directory.h"
#include "tests/support/fake_clock.h"
#include "tests/versions/version_maker.h"

namespace antiphon {
namespace {

using testing::HasSubstr;

class LiveModelTest : public ::testing::Test {
 protected:
  LiveModelTest()
      : maker_(::testing::TempDir() + "antiphon_live_" +
               ::testing::UnitTest::GetInstance()->current_test_info()->name() + "_" +
               std::to_string(::getpid())) {}
  ~LiveModelTest() override { std::filesystem::remove_all(maker_.directory()); }

  std::unique_ptr<LiveModel> Open(std::function<Status(const ServedModel&)> accept = nullptr) {
    auto live = LiveModel::Open({.folder = maker_.directory(), .accept = std::move(accept)},
                                maker_.fs(), clock_);
    EXPECT_TRUE(live.ok()) << live.status();
    return live.ok() ? *std::move(live) : nullptr;
  }

  // The first weight of the rows of keys 1 to 4; 0 for one that is not there.
  static std::vector<float> Stamps(const ServedModel& model) {
    const std::vector<Key> keys = {1, 2, 3, 4};
    std::vector<float> weights(keys.size() * VersionMaker::kDim);
    model.table(0).Lookup(keys, weights.data());
    std::vector<float> stamps;
    for (size_t i = 0; i < keys.size(); ++i) {
      stamps.push_back(weights[i * VersionMaker::kDim]);
    }
    return stamps;
  }
  static std::vector<float> Stamps(const LiveModel& live) {
    return Stamps(*live.newest().newest());
  }

  void ExpectRefused(LiveModel& live, const std::string& fault, const std::string& message) {
    const std::vector<float> before = Stamps(live);
    const uint64_t version = live.Report().version;
    EXPECT_FALSE(live.Refresh().ok());
    const LiveReport report = live.Report();
    EXPECT_EQ(report.failures.count(fault), 1U) << report.last_error;
    EXPECT_TRUE(report.failing);
    EXPECT_THAT(report.last_error, HasSubstr(message));
    EXPECT_EQ(report.version, version);
    EXPECT_EQ(Stamps(live), before);
  }

  FakeClock clock_;
  VersionMaker maker_;
};

TEST_F(LiveModelTest, OpensTheCurrentVersionWithTheStepsThatItNeeds) {
  const VersionLink full = maker_.Full({.number = 3, .stamp = 3, .rows = {1, 2, 3}});
  const VersionLink one = maker_.Step(full, {.number = 5, .stamp = 5, .rows = {2, 4}});
  maker_.Step(one, {.number = 6, .stamp = 6, .rows = {4}, .removed = {1}});
  maker_.SetCurrent(6);

  const auto live = Open();

  EXPECT_EQ(Stamps(*live), (std::vector<float>{0, 5, 3, 6}));
  const LiveReport report = live->Report();
  EXPECT_EQ(report.version, 6U);
  EXPECT_EQ(report.base, 3U);
  EXPECT_EQ(report.sequence, 2U);
  EXPECT_EQ(report.rows, 3U);
  // The dense part is that of the last version.
  EXPECT_EQ(live->newest().newest()->block(0)[0], 6);
}

TEST_F(LiveModelTest, AVersionOfItsOwnNeverChanges) {
  const VersionLink full = maker_.Full({.number = 3, .stamp = 3, .rows = {1}});
  const auto live = LiveModel::Open({.folder = full.folder}, maker_.fs(), clock_);
  ASSERT_TRUE(live.ok()) << live.status();
  maker_.Step(full, {.number = 4, .stamp = 4, .rows = {1}});
  maker_.SetCurrent(4);
  EXPECT_EQ((*live)->Refresh().value(), false);
  EXPECT_EQ((*live)->Report().version, 3U);
}

TEST_F(LiveModelTest, AStepIsServedWhileWhoHasTheVersionBeforeKeepsIt) {
  const VersionLink full = maker_.Full({.number = 1, .stamp = 1, .rows = {1, 2}});
  maker_.SetCurrent(1);
  const auto live = Open();
  EXPECT_EQ(live->Refresh().value(), false);
  LivePointer<ServedModel>::Reader reader(live->newest());
  const std::shared_ptr<const ServedModel> before = reader.Get();

  maker_.Step(full, {.number = 2, .stamp = 2, .rows = {2, 3}, .removed = {1}});
  maker_.SetCurrent(2);
  EXPECT_EQ(live->Refresh().value(), true);

  EXPECT_EQ(Stamps(*before), (std::vector<float>{1, 1, 0, 0}));
  EXPECT_EQ(before->block(0)[0], 1);
  EXPECT_EQ(Stamps(*reader.Get()), (std::vector<float>{0, 2, 2, 0}));
  EXPECT_EQ(reader.Get()->block(0)[0], 2);
  // Job and plan are the same objects, so that a scorer goes on.
  EXPECT_EQ(&before->plan(), &reader.Get()->plan());
}

TEST_F(LiveModelTest, SeveralStepsAtOnceAreServedTogether) {
  VersionLink last = maker_.Full({.number = 1, .stamp = 1, .rows = {1, 2, 3}});
  maker_.SetCurrent(1);
  const auto live = Open();
  for (uint64_t number = 2; number <= 4; ++number) {
    last = maker_.Step(
        last, {.number = number, .stamp = static_cast<float>(number), .rows = {Key{number}}});
  }
  maker_.SetCurrent(4);
  EXPECT_EQ(live->Refresh().value(), true);
  EXPECT_EQ(Stamps(*live), (std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(live->Report().sequence, 3U);
  EXPECT_EQ(live->Report().versions, 2U);
}

TEST_F(LiveModelTest, ANewChainTakesOverAndTheFilesOfTheOldOneAreLetGo) {
  const auto is_mapped = [](const VersionLink& version) {
    std::ostringstream maps;
    maps << std::ifstream("/proc/self/maps").rdbuf();
    return maps.str().find(version.folder + "/") != std::string::npos;
  };
  const VersionLink first = maker_.Full({.number = 1, .stamp = 1, .rows = {1}});
  maker_.SetCurrent(1);
  const auto live = Open();
  EXPECT_TRUE(is_mapped(first));
  const VersionLink other = maker_.Full({.number = 5, .stamp = 5, .rows = {2}});
  maker_.Step(other, {.number = 6, .stamp = 6, .rows = {3}});
  maker_.SetCurrent(6);
  {
    const std::shared_ptr<const ServedModel> held = live->newest().newest();
    EXPECT_EQ(live->Refresh().value(), true);
    EXPECT_EQ(Stamps(*live), (std::vector<float>{0, 5, 6, 0}));
    EXPECT_TRUE(is_mapped(first));
  }
  EXPECT_EQ(live->Refresh().value(), false);
  EXPECT_FALSE(is_mapped(first));
  EXPECT_TRUE(is_mapped(other));
}

TEST_F(LiveModelTest, ATornStepIsRefusedUntilAWholeOneComes) {
  const VersionLink full = maker_.Full({.number = 1, .stamp = 1, .rows = {1, 2}});
  maker_.SetCurrent(1);
  const auto live = Open();
  for (const std::string& file : {std::string("embeddings/user.emb"), std::string(kStateFile)}) {
    maker_.Step(full, {.number = 2, .stamp = 2, .rows = {1}});
    maker_.Damage(2, file);
    maker_.SetCurrent(2);
    ExpectRefused(*live, "torn", file);
  }
  std::filesystem::remove(maker_.directory() + "/version-2/" + kStateFile);
  ExpectRefused(*live, "torn", kStateFile);
  EXPECT_EQ(live->Report().failures.at("torn"), 3U);

  maker_.Step(full, {.number = 2, .stamp = 2, .rows = {1}});
  EXPECT_EQ(live->Refresh().value(), true);
  EXPECT_EQ(Stamps(*live), (std::vector<float>{2, 1, 0, 0}));
  EXPECT_FALSE(live->Report().failing);
  EXPECT_THAT(live->Report().last_error, HasSubstr(kStateFile));
}

TEST_F(LiveModelTest, WhatIsNotTheNextVersionIsRefusedAndSaidWhy) {
  const VersionLink full = maker_.Full({.number = 4, .stamp = 4, .rows = {1}});
  const VersionLink step = maker_.Step(full, {.number = 5, .stamp = 5, .rows = {2}});
  maker_.SetCurrent(5);
  const auto live = Open();

  maker_.SetCurrent(4);
  ExpectRefused(*live, "stale", "version 4 is stale");
  maker_.Full({.number = 6, .stamp = 6, .rows = {1}, .model_id = 2});
  maker_.SetCurrent(6);
  ExpectRefused(*live, "wrong_model", "0000000000000002");
  maker_.SetCurrent(7);
  ExpectRefused(*live, "missing", "version-7");
  const VersionLink lost = maker_.Step(step, {.number = 8, .stamp = 8, .rows = {2}});
  maker_.Step(lost, {.number = 9, .stamp = 9, .rows = {2}});
  std::filesystem::remove_all(lost.folder);
  maker_.SetCurrent(9);
  ExpectRefused(*live, "missing", "version-8");

  maker_.Full({.number = 10, .stamp = 10, .rows = {1}});
  maker_.SetCurrent(10);
  EXPECT_EQ(live->Refresh().value(), true);
  EXPECT_EQ(live->Report().version, 10U);
}

TEST_F(LiveModelTest, AdvanceTakesTheNextStepAndNoOther) {
  const VersionLink full = maker_.Full({.number = 1, .stamp = 1, .rows = {1}});
  const VersionLink two = maker_.Step(full, {.number = 2, .stamp = 2, .rows = {1}});
  const VersionLink three = maker_.Step(two, {.number = 3, .stamp = 3, .rows = {1}});
  const auto model = ServedModel::Open(two.folder);
  ASSERT_TRUE(model.ok()) << model.status();
  const auto code = [&](const VersionLink& step) {
    return (*model)->Advance({&step, 1}).status().code();
  };

  EXPECT_EQ(code(three), StatusCode::kOk);
  EXPECT_EQ(code(two), StatusCode::kAlreadyExists);
  EXPECT_EQ(code(full), StatusCode::kOutOfRange);
  const VersionLink five =
      maker_.Step(maker_.Step(three, {.number = 4}), {.number = 5, .stamp = 5});
  EXPECT_EQ(code(five), StatusCode::kNotFound);
  const VersionLink other = maker_.Full({.number = 6, .rows = {1}});
  EXPECT_EQ(code(maker_.Step(other, {.number = 7})), StatusCode::kStaleEpoch);
  EXPECT_EQ(code(maker_.Step(two, {.number = 8, .model_id = 2})), StatusCode::kInvalidArgument);
  VersionLink changed = two;
  changed.digest = "0000000000000000";
  EXPECT_EQ(code(maker_.Step(changed, {.number = 9})), StatusCode::kDataLoss);
  EXPECT_EQ(Stamps(**model), (std::vector<float>{2, 0, 0, 0}));
}

TEST_F(LiveModelTest, WhatIsNotAcceptedIsNotServed) {
  const VersionLink full = maker_.Full({.number = 1, .stamp = 1, .rows = {1}});
  maker_.Step(full, {.number = 2, .stamp = 2, .rows = {1}});
  maker_.SetCurrent(1);
  const auto live = Open([](const ServedModel& model) {
    return model.signature().version() == 2 ? UnimplementedError("it asks for too much") : Status();
  });
  maker_.SetCurrent(2);
  ExpectRefused(*live, "other", "it asks for too much");
}

TEST_F(LiveModelTest, FreshnessIsFromTheEventToWhenItIsServed) {
  const int64_t start = clock_.WallMs();
  const VersionLink full = maker_.Full({.number = 1,
                                        .stamp = 1,
                                        .rows = {1},
                                        .cut_ms = start - 50'000,
                                        .sample_ages_ms = {1'000'000}});
  maker_.SetCurrent(1);
  const auto live = Open();
  EXPECT_EQ(live->Report().freshness.count(), 0U);  // it was there before

  maker_.Step(full, {.number = 2,
                     .stamp = 2,
                     .rows = {1},
                     .cut_ms = start + 4000,
                     .sample_ages_ms = {1000, 1000, 1000, 6000}});
  maker_.SetCurrent(2);
  clock_.Advance(std::chrono::seconds(7));
  EXPECT_EQ(live->Refresh().value(), true);

  const LiveReport report = live->Report();
  EXPECT_EQ(report.visible_ms, start + 7000);
  EXPECT_EQ(report.cut_ms, start + 4000);
  EXPECT_EQ(report.last_freshness.count(), 4U);
  EXPECT_NEAR(report.last_freshness.Quantile(0.5), 4000, 900);
  EXPECT_NEAR(report.last_freshness.Quantile(0.99), 9000, 2000);
  EXPECT_EQ(report.freshness.count(), 4U);
}

}  // namespace
}  // namespace antiphon
