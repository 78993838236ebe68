#include "models/funnel_graph.h"

#include <cmath>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace antiphon {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;

TaskEvent After(std::vector<EventWay> ways) {
  return {.ways = std::move(ways), .conditional_name = "c"};
}

// One row of logits.
class LogitRow {
 public:
  explicit LogitRow(std::vector<double> values) : values_(std::move(values)) {
    for (double& value : values_) {
      Var<double>& var = vars_.emplace_back();
      var.value = &value;
      var.rows = var.cols = var.stride = 1;
    }
  }

  std::span<const Var<double>> vars() const { return vars_; }

 private:
  std::vector<double> values_;
  std::vector<Var<double>> vars_;
};

double Sigmoid(double a) {
  return 1 / (1 + std::exp(-a));
}

TEST(FunnelGraphTest, AChainMultipliesFromTheLastStepOn) {
  const std::vector<TaskEvent> events = {{}, After({{0, true}}), After({{1, true}})};

  StatusOr<FunnelGraph> graph = FunnelGraph::Create(events);

  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ(graph->logit_count(), 3U);
  EXPECT_THAT(graph->steps(0), ElementsAre(FunnelStep{.logit = 0}));
  EXPECT_THAT(graph->steps(2), ElementsAre(FunnelStep{.logit = 2}, FunnelStep{.logit = 1, .yes = 0},
                                           FunnelStep{.logit = 0, .yes = 1}));
}

TEST(FunnelGraphTest, BranchesOfADecisionMix) {
  const std::vector<TaskEvent> events = {{}, After({{0, true}}), After({{1, true}, {1, false}})};
  StatusOr<FunnelGraph> graph = FunnelGraph::Create(events);
  ASSERT_TRUE(graph.ok()) << graph.status();
  const LogitRow row({0.3, -0.8, 1.1, -2});

  const LogOdds odds = FunnelOdds(graph->steps(2), row.vars(), 0);
  const Gemm gemm = Gemm::Create(GemmBackend::kEigen);
  Tape<double> tape(gemm, BestKernelsOf<double>());
  const Var<double> logit = FunnelLogit<double>(tape, graph->steps(2), row.vars());
  const Var<double> conditional = graph->PredictConditional(tape, row.vars(), 2);

  const double given = Sigmoid(-0.8) * Sigmoid(1.1) + Sigmoid(0.8) * Sigmoid(-2);
  const double expected = Sigmoid(0.3) * given;
  EXPECT_EQ(graph->logit_count(), 4U);
  EXPECT_NEAR(std::exp(odds.happens), expected, 1e-12);
  EXPECT_NEAR(std::exp(odds.misses), 1 - expected, 1e-12);
  EXPECT_EQ(*logit.value, odds.logit());
  EXPECT_NEAR(Sigmoid(*conditional.value), given, 1e-12);
  EXPECT_EQ(*graph->PredictConditional(tape, row.vars(), 1).value, -0.8);
}

TEST(FunnelGraphTest, AnEventThatHasNothingToDoWithAnotherIsNotAmongItsSteps) {
  const std::vector<TaskEvent> events = {{}, After({{0, true}}), After({{0, true}})};

  StatusOr<FunnelGraph> graph = FunnelGraph::Create(events);

  ASSERT_TRUE(graph.ok()) << graph.status();
  const FunnelStep expected[] = {{.logit = 2}, {.logit = 0, .yes = 0}};
  EXPECT_THAT(graph->steps(2), ElementsAreArray(expected));
}

TEST(FunnelGraphTest, RefusesWaysThatMayComeTogether) {
  const std::vector<TaskEvent> siblings = {
      {}, After({{0, true}}), After({{0, true}}), After({{1, true}, {2, true}})};
  const std::vector<TaskEvent> beginnings = {{}, {}, After({{0, true}, {1, true}})};
  const std::vector<TaskEvent> twice = {{}, After({{0, true}, {0, true}})};

  for (const auto& events : {siblings, beginnings, twice}) {
    const Status status = FunnelGraph::Create(events).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(status.message(), testing::HasSubstr("two ways at once"));
  }
}

TEST(FunnelGraphTest, LongChainsOfRareEventsKeepTheirDigits) {
  std::vector<TaskEvent> events = {{}};
  for (uint32_t k = 1; k < 6; ++k) {
    events.push_back(After({{k - 1, true}}));
  }
  StatusOr<FunnelGraph> graph = FunnelGraph::Create(events);
  ASSERT_TRUE(graph.ok()) << graph.status();
  const LogitRow rare(std::vector<double>(6, -30));
  const LogitRow sure(std::vector<double>(6, 30));

  const LogOdds low = FunnelOdds(graph->steps(5), rare.vars(), 0);
  const LogOdds high = FunnelOdds(graph->steps(5), sure.vars(), 0);

  EXPECT_NEAR(low.happens, -180, 1e-9);
  EXPECT_NEAR(low.misses, -std::exp(-180), 1e-90);
  EXPECT_NEAR(high.misses, std::log(6 * std::exp(-30)), 1e-9);
  EXPECT_NEAR(high.happens, -6 * std::exp(-30), 1e-15);
}

}  // namespace
}  // namespace antiphon
