// Losses: gradients in double against central differences, and what is particular to each.
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/base/rng.h"
#include "models/tape/point_losses.h"
#include "models/tape/ranking_losses.h"
#include "models/task_loss.h"
#include "tests/support/golden_vector.h"

namespace antiphon {
namespace {

using nlohmann::json;

// One loss over one column of outputs.
template <typename T>
class Column {
 public:
  using Loss = std::function<double(Tape<T>&, const Var<T>&, const Target<T>&, const T*)>;

  Column(std::vector<T> outputs, std::vector<T> labels, std::vector<T> weights,
         std::vector<uint64_t> requests, Loss loss)
      : output(std::move(outputs)),
        label(std::move(labels)),
        weight(std::move(weights)),
        request(std::move(requests)),
        loss_(std::move(loss)) {}

  // The loss; `grad` becomes scale times its gradient.
  double Run(T scale = 1) {
    grad.assign(output.size(), 0);
    GradBuffer<T> buffer{.data = grad.data(), .size = grad.size(), .live = false};
    tape_.Reset(Tape<T>::Recording::kYes);
    const Var<T> var = tape_.Leaf(output.data(), output.size(), 1, kInputs, &buffer);
    const double loss =
        loss_(tape_, var,
              {.label = label.data(), .weight = weight.data(), .request = request.data()}, &scale);
    tape_.Backward(kBoth);
    reached = buffer.live;
    return loss;
  }

  std::vector<T> output;
  std::vector<T> label;
  std::vector<T> weight;
  std::vector<uint64_t> request;
  std::vector<T> grad;
  bool reached = false;

 private:
  Loss loss_;
  Gemm gemm_ = Gemm::Create(GemmBackend::kEigen);
  Tape<T> tape_{gemm_, BestKernelsOf<T>()};
};

struct LossCase {
  std::string name;
  Column<double>::Loss loss;
  bool binary = false;
};
std::ostream& operator<<(std::ostream& out, const LossCase& c) {
  return out << c.name;
}

std::vector<LossCase> Cases() {
  using D = Var<double>;
  using Y = Target<double>;
  static const std::vector<double> late(9, -0.7);
  static const std::vector<double> real(9, 1.3);
  return {
      {"Log", LogLoss<double>, true},
      {"Squared", SquaredLoss<double>},
      {"Huber", [](Tape<double>& t, const D& a, const Y& y,
                   const double* s) { return HuberLoss(t, a, y, 0.8, s); }},
      {"WeightedLogistic", WeightedLogisticLoss<double>},
      {"ElapsedTime",
       [](Tape<double>& t, const D& a, const Y& y, const double* s) {
         return ElapsedTimeLoss(t, a, t.Constant(late.data(), 9, 1), t.Constant(real.data(), 9, 1),
                                y, s);
       },
       true},
      {"Pairwise", PairwiseLoss<double>},
      {"Listwise", ListwiseLoss<double>},
  };
}

class LossOpsTest : public testing::TestWithParam<LossCase> {
 protected:
  Column<double> Sample() const {
    Rng rng(7);
    std::vector<double> output;
    std::vector<double> label;
    for (int i = 0; i < 9; ++i) {
      output.push_back(rng.Normal() * 1.5);
      label.push_back(static_cast<double>(rng.Below(GetParam().binary ? 2 : 4)));
    }
    return {
        output, label, {1, 2, 0.5, 1, 0, 3, 1, 1, 1}, {1, 1, 1, 1, 2, 2, 2, 3, 3}, GetParam().loss};
  }
};

TEST_P(LossOpsTest, GradientEqualsCentralDifference) {
  Column<double> column = Sample();
  column.Run(1.5);
  const std::vector<double> grad = column.grad;

  for (size_t i = 0; i < grad.size(); ++i) {
    const double before = column.output[i];
    constexpr double kStep = 1e-5;
    column.output[i] = before + kStep;
    const double above = column.Run();
    column.output[i] = before - kStep;
    const double below = column.Run();
    column.output[i] = before;
    EXPECT_NEAR(grad[i], 1.5 * (above - below) / (2 * kStep), 2e-8) << i;
  }
}

TEST_P(LossOpsTest, LabelOfARowWithoutWeightChangesNoBit) {
  Column<double> column = Sample();
  const double loss = column.Run();
  const std::vector<double> grad = column.grad;

  column.label[4] = kUnknownLabel;

  EXPECT_EQ(column.Run(), loss);
  EXPECT_EQ(column.grad, grad);
  EXPECT_EQ(grad[4], 0);
}

TEST_P(LossOpsTest, WithoutWeightOrScaleNothingIsReached) {
  Column<double> column = Sample();
  column.Run(0);
  EXPECT_FALSE(column.reached);

  column.weight.assign(9, 0);

  EXPECT_EQ(column.Run(), 0);
  EXPECT_FALSE(column.reached);
}

INSTANTIATE_TEST_SUITE_P(Losses, LossOpsTest, testing::ValuesIn(Cases()),
                         [](const testing::TestParamInfo<LossCase>& c) { return c.param.name; });

// In both kinds of number against tests/golden/models.
template <typename T>
class LossVectorTest : public testing::Test {
 protected:
  static std::vector<T> Numbers(const json& value) {
    const auto numbers = value.get<std::vector<double>>();
    return {numbers.begin(), numbers.end()};
  }
  void ExpectClose(const std::vector<T>& actual, const json& expected) const {
    ASSERT_EQ(actual.size(), expected.size());
    for (size_t i = 0; i < actual.size(); ++i) {
      EXPECT_NEAR(actual[i], expected[i].get<double>(), kTolerance) << i;
    }
  }
  static constexpr double kTolerance = sizeof(T) == 8 ? 1e-9 : 1e-5;
};
using Numbers = testing::Types<double, float>;
TYPED_TEST_SUITE(LossVectorTest, Numbers);

TYPED_TEST(LossVectorTest, RankingEqualsReference) {
  const json v = LoadVector("ranking");
  const json& in = v["inputs"];
  const auto group = in["group"].get<std::vector<uint64_t>>();
  const std::vector<TypeParam> ones(7, 1);
  for (const std::string name : {"pairwise", "listwise"}) {
    Column<TypeParam> column(
        this->Numbers(in["s"]), this->Numbers(in["y"]), ones, group,
        name == "pairwise" ? PairwiseLoss<TypeParam> : ListwiseLoss<TypeParam>);
    const double parts = name == "pairwise" ? 6 : 3;

    const double loss = column.Run(static_cast<TypeParam>(1 / parts)) / parts;

    EXPECT_NEAR(loss, v["outputs"][name]["loss"].template get<double>(), this->kTolerance);
    this->ExpectClose(column.grad, v["grads"]["s@" + name]);
  }
}

TYPED_TEST(LossVectorTest, DelayedFeedbackEqualsReference) {
  using T = TypeParam;
  const json v = LoadVector("delayed_feedback");
  const json& in = v["inputs"];
  std::vector<T> late;
  std::vector<T> real;
  for (size_t i = 0; i < 6; ++i) {
    const auto logit = [](double p) { return static_cast<T>(std::log(p / (1 - p))); };
    late.push_back(logit(in["p_dp"][i].get<double>()));
    real.push_back(logit(in["p_rn"][i].get<double>()));
  }
  const std::pair<std::string, typename Column<T>::Loss> losses[] = {
      {"FNW", FakeNegativeLoss<T>},
      {"FNC", LogLoss<T>},
      {"ES_DFM", [&](Tape<T>& t, const Var<T>& a, const Target<T>& y, const T* s) {
         return ElapsedTimeLoss(t, a, t.Constant(late.data(), 6, 1), t.Constant(real.data(), 6, 1),
                                y, s);
       }}};
  for (const auto& [name, loss] : losses) {
    Column<T> column(this->Numbers(in["a"]), this->Numbers(in["z"]), std::vector<T>(6, 1),
                     std::vector<uint64_t>(6), loss);

    EXPECT_NEAR(column.Run(), v["outputs"][name]["loss"].template get<double>(),
                this->kTolerance * 10);
    this->ExpectClose(column.grad, v["grads"]["a@" + name]);
  }
}

LossSpec SpecOf(TaskTower::LossType type) {
  LossSpec spec;
  spec.type = type;
  return spec;
}

TEST(TaskLossTest, FncServesPOverOneMinusP) {
  const json v = LoadVector("delayed_feedback");
  LossSpec fnc;
  fnc.delayed = DelayedFeedback::FNC;
  for (size_t i = 0; i < 6; ++i) {
    const double served =
        1 / (1 + std::exp(-PredictedLogitOf(fnc, v["inputs"]["a"][i].get<double>())));
    EXPECT_NEAR(served, v["outputs"]["FNC"]["served"][i].get<double>(), 2e-6) << i;
  }
}

TEST(TaskLossTest, WeightedLogisticLearnsTheMean) {
  std::vector<double> watched = {0, 0, 30, 4, 7.5, 120, 0, 1};
  double mean = 0;
  for (const double y : watched) {
    mean += y / 8;
  }
  Column<double> column(std::vector<double>(8, std::log(mean)), watched, std::vector<double>(8, 1),
                        std::vector<uint64_t>(8), WeightedLogisticLoss<double>);
  column.Run();

  double slope = 0;
  for (const double g : column.grad) {
    slope += g;
  }
  EXPECT_NEAR(slope, 0, 1e-9);
  EXPECT_NEAR(PredictedNumber(SpecOf(TaskTower::WEIGHTED_LOGISTIC), std::log(mean)), mean, 1e-9);
}

TEST(TaskLossTest, MeansRunOverPairsAndRequests) {
  const std::vector<float> label = {2, 0, 1, 0, 0};
  const std::vector<float> weight = {1, 1, 2, 0, 1};
  const std::vector<uint64_t> request = {5, 5, 5, 5, 6};
  const Target<float> target = {label.data(), weight.data(), request.data()};

  EXPECT_EQ(LossWeight(SpecOf(TaskTower::PAIRWISE), target, 5), 1 + 2 + 2);
  // The second request has no label above 0.
  EXPECT_FLOAT_EQ(static_cast<float>(LossWeight(SpecOf(TaskTower::LISTWISE), target, 5)), 4.0F / 3);
  EXPECT_EQ(LossWeight(SpecOf(TaskTower::HUBER), target, 5), 5);
}

// Late labels: the expected gradient over a stream made from a known p has to vanish at that p.
class FixedPointTest : public testing::Test {
 protected:
  // Follows the gradient of `mass`-weighted samples of one feature value from logit 0.
  static double Converge(const std::vector<double>& label, const std::vector<double>& mass,
                         const Column<double>::Loss& loss) {
    Column<double> column(std::vector<double>(label.size(), 0.0), label, mass,
                          std::vector<uint64_t>(label.size()), loss);
    for (int step = 0; step < 20000; ++step) {
      column.Run();
      double slope = 0;
      for (const double g : column.grad) {
        slope += g;
      }
      for (double& a : column.output) {
        a -= 0.5 * slope;
      }
    }
    return column.output[0];
  }
  static double Sigmoid(double a) { return 1 / (1 + std::exp(-a)); }
};

TEST_F(FixedPointTest, FnwAndFncFindTheTrueRate) {
  for (const double p : {0.02, 0.1, 0.35}) {
    // Every sample is a negative at once, p of them a positive again.
    const std::vector<double> label = {0, 1};
    const std::vector<double> mass = {1, p};

    EXPECT_NEAR(Sigmoid(Converge(label, mass, FakeNegativeLoss<double>)), p, 0.01);
    LossSpec fnc;
    fnc.delayed = DelayedFeedback::FNC;
    EXPECT_NEAR(Sigmoid(PredictedLogitOf(fnc, Converge(label, mass, LogLoss<double>))), p, 0.01);
    // What it makes up for: without it the rate is p / (1 + p).
    EXPECT_NEAR(Sigmoid(Converge(label, mass, LogLoss<double>)), p / (1 + p), 1e-3);
  }
}

TEST_F(FixedPointTest, EsDfmFindsTheTrueRate) {
  for (const double p : {0.05, 0.2, 0.5}) {
    const double late = 0.6 * p;  // positives after the wait
    const double real = (1 - p) / (1 - p + late);
    const auto logit = [](double q) { return std::log(q / (1 - q)); };
    const std::vector<double> late_logit(2, logit(late));
    const std::vector<double> real_logit(2, logit(real));
    // A label after the wait, and the late positives again.
    const std::vector<double> mass = {1 - p + late, p};
    const auto loss = [&](Tape<double>& t, const Var<double>& a, const Target<double>& y,
                          const double* s) {
      return ElapsedTimeLoss(t, a, t.Constant(late_logit.data(), 2, 1),
                             t.Constant(real_logit.data(), 2, 1), y, s);
    };

    EXPECT_NEAR(Sigmoid(Converge({0, 1}, mass, loss)), p, 0.01);
    EXPECT_LT(Sigmoid(Converge({0, 1}, mass, LogLoss<double>)), p / (1 + late) + 1e-3);
  }
}

}  // namespace
}  // namespace antiphon
