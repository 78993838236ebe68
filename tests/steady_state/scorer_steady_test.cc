// Scoring by one version after the other of a chain allocates nothing once each has been met.
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

#include "common/math/gemm.h"
#include "scoring/held_scorer.h"
#include "serving/served_model.h"
#include "tests/steady_state/allocation_counter.h"
#include "tests/versions/version_maker.h"

namespace antiphon {
namespace {

TEST(ScorerSteadyTest, GoingFromVersionToVersionAllocatesNothing) {
  VersionMaker maker(::testing::TempDir() + "antiphon_steady_" + std::to_string(::getpid()));
  const VersionLink full = maker.Full({.number = 1, .stamp = 0.1F, .rows = {1, 2}});
  const VersionLink step = maker.Step(full, {.number = 2, .stamp = 0.7F, .rows = {2}});
  std::vector<std::shared_ptr<const TrainedModel>> models;
  const std::shared_ptr<const ServedModel> first = ServedModel::Open(full.folder).value();
  models.push_back(first);
  models.push_back(first->Advance({&step, 1}).value());
  const Gemm gemm = Gemm::Create(GemmBackend::kEigen);
  const auto scorer = HeldScorer::Create(models[0], gemm);
  ASSERT_TRUE(scorer.ok()) << scorer.status();
  std::vector<std::string_view> values = {"", "u1"};
  const auto score_by = [&](size_t i) {
    EXPECT_TRUE((*scorer)->Use(models[i]).ok());
    EXPECT_TRUE((*scorer)->scorer().Add(values).ok());
    return (*scorer)->scorer().Run()[0][0];
  };
  for (size_t i = 0; i < 4; ++i) {
    score_by(i % 2);
  }

  const AllocationCounter counter;
  const float of_first = score_by(0);
  const float of_second = score_by(1);

  EXPECT_EQ(counter.count(), 0U);
  EXPECT_NE(of_first, of_second);
  std::filesystem::remove_all(maker.directory());
}

}  // namespace
}  // namespace antiphon
