// Every op of the tape: its gradient in double against central differences.
#include <cmath>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/rng.h"
#include "models/tape/column_ops.h"
#include "models/tape/elementwise_ops.h"
#include "models/tape/funnel_op.h"
#include "models/tape/linear_ops.h"
#include "models/tape/loss_ops.h"
#include "models/tape/norm_ops.h"
#include "models/tape/pair_ops.h"
#include "models/tape/pooling_op.h"
#include "models/tape/row_ops.h"
#include "models/tape/segment_ops.h"
#include "models/tape/tape.h"

namespace antiphon {
namespace {

using D = Var<double>;
using Leaves = std::vector<D>;

struct Shape {
  size_t rows = 0;
  size_t cols = 0;
};

struct OpCase {
  std::string name;
  std::vector<Shape> leaves;
  // Either a matrix, whose elements are then weighted and summed, or an empty Var and a loss.
  std::function<D(Tape<double>&, const Leaves&, double& loss)> op;
};

std::ostream& operator<<(std::ostream& out, const OpCase& op) {
  return out << op.name;
}

using MatrixOp = std::function<D(Tape<double>&, const Leaves&)>;
OpCase Matrix(std::string name, std::vector<Shape> leaves, MatrixOp op) {
  return {std::move(name), std::move(leaves),
          [op](Tape<double>& tape, const Leaves& x, double&) { return op(tape, x); }};
}

// A slice whose rows lie further apart than they are long, as most arguments of real models do.
D Inner(const D& x) {
  return SliceColumns(x, 1, x.cols - 2);
}

std::vector<OpCase> LinearCases() {
  std::vector<OpCase> cases;
  for (const Activation f :
       {Activation::kLinear, Activation::kRelu, Activation::kSigmoid, Activation::kTanh}) {
    const std::string suffix = std::to_string(static_cast<int>(f));
    cases.push_back(Matrix(
        "Linear" + suffix, {{5, 6}, {3, 4}, {1, 3}},
        [f](Tape<double>& t, const Leaves& x) { return Linear(t, Inner(x[0]), x[1], x[2], f); }));
    cases.push_back(Matrix("Activate" + suffix, {{4, 5}}, [f](Tape<double>& t, const Leaves& x) {
      return Activate(t, Inner(x[0]), f);
    }));
  }
  cases.push_back(
      Matrix("LinearWithoutBias", {{5, 4}, {3, 4}}, [](Tape<double>& t, const Leaves& x) {
        return Linear(t, x[0], x[1], D(), Activation::kLinear);
      }));
  cases.push_back(
      Matrix("StackedLinear", {{5, 6}, {12, 2}, {1, 12}}, [](Tape<double>& t, const Leaves& x) {
        return StackedLinear(t, x[0], x[1], x[2], 3, Activation::kTanh);
      }));
  cases.push_back(Matrix(
      "LayerNorm", {{4, 7}, {1, 5}, {1, 5}},
      [](Tape<double>& t, const Leaves& x) { return LayerNorm(t, Inner(x[0]), x[1], x[2], 1); }));
  cases.push_back(
      Matrix("LayerNormOfAStack", {{4, 6}, {1, 6}, {1, 6}},
             [](Tape<double>& t, const Leaves& x) { return LayerNorm(t, x[0], x[1], x[2], 2); }));
  return cases;
}

std::vector<OpCase> ElementwiseCases() {
  return {
      Matrix("PRelu", {{4, 5}, {1, 3}},
             [](Tape<double>& t, const Leaves& x) { return PRelu(t, Inner(x[0]), x[1]); }),
      Matrix("Softmax", {{4, 5}},
             [](Tape<double>& t, const Leaves& x) { return Softmax(t, Inner(x[0])); }),
      Matrix("Add", {{4, 5}, {4, 3}},
             [](Tape<double>& t, const Leaves& x) { return Add(t, Inner(x[0]), x[1]); }),
      Matrix("AddBias", {{4, 5}, {1, 3}},
             [](Tape<double>& t, const Leaves& x) { return AddBias(t, Inner(x[0]), x[1]); }),
      Matrix("Multiply", {{4, 5}, {4, 3}},
             [](Tape<double>& t, const Leaves& x) { return Multiply(t, Inner(x[0]), x[1]); }),
      Matrix("MultiplyByItself", {{4, 3}},
             [](Tape<double>& t, const Leaves& x) { return Multiply(t, x[0], x[0]); }),
      Matrix(
          "ScaleRows", {{4, 5}, {4, 3}},
          [](Tape<double>& t, const Leaves& x) { return ScaleRows(t, Inner(x[0]), Inner(x[1])); }),
      Matrix("Dropout", {{4, 5}},
             [](Tape<double>& t, const Leaves& x) {
               return Dropout(t, Inner(x[0]), 0.4F, {.seed = 5, .first_row = 3});
             }),
      Matrix("ConcatColumns", {{4, 2}, {4, 5}},
             [](Tape<double>& t, const Leaves& x) {
               return ConcatColumns<double>(t, std::vector<D>{x[0], Inner(x[1]), x[0]});
             }),
      Matrix("MixBlocks", {{4, 8}, {4, 3}},
             [](Tape<double>& t, const Leaves& x) { return MixBlocks(t, Inner(x[0]), x[1]); }),
      Matrix("MixBlocksOfSeveral", {{4, 6}, {4, 5}, {4, 5}},
             [](Tape<double>& t, const Leaves& x) {
               return MixBlocks<double>(t, std::vector<D>{x[0], Inner(x[1])}, Inner(x[2]));
             }),
      Matrix("SlicesOfOneMatrix", {{4, 6}},
             [](Tape<double>& t, const Leaves& x) {
               return Multiply(t, SliceColumns(x[0], 0, 3), SliceColumns(x[0], 2, 3));
             }),
  };
}

constexpr double kMean[] = {0.5, -1};
constexpr double kInverseDeviation[] = {2, 0.25};
constexpr uint32_t kPicked[] = {3, 0, 3, 1};
constexpr uint32_t kSegmentOffsets[] = {0, 2, 2, 5};  // the second one is empty

std::vector<OpCase> RowCases() {
  const Segments segments{kSegmentOffsets, 3};
  return {
      Matrix("Subtract", {{4, 5}, {4, 3}},
             [](Tape<double>& t, const Leaves& x) { return Subtract(t, Inner(x[0]), x[1]); }),
      Matrix("Scale", {{4, 5}},
             [](Tape<double>& t, const Leaves& x) { return Scale(t, Inner(x[0]), -1.5); }),
      Matrix("RowsOfOneMatrix", {{5, 3}},
             [](Tape<double>& t, const Leaves& x) {
               return Multiply(t, SliceRows(x[0], 0, 3), SliceRows(x[0], 2, 3));
             }),
      Matrix("ConcatRows", {{2, 3}, {3, 5}},
             [](Tape<double>& t, const Leaves& x) {
               return ConcatRows<double>(t, std::vector<D>{x[0], Inner(x[1]), x[0]});
             }),
      Matrix(
          "GatherRows", {{4, 5}},
          [](Tape<double>& t, const Leaves& x) { return GatherRows(t, Inner(x[0]), kPicked, 4); }),
      Matrix("RepeatRow", {{1, 5}},
             [](Tape<double>& t, const Leaves& x) { return RepeatRow(t, Inner(x[0]), 3); }),
      Matrix("RowDots", {{4, 5}, {4, 3}},
             [](Tape<double>& t, const Leaves& x) { return RowDots(t, Inner(x[0]), x[1], 0.5); }),
      Matrix("NormalizeColumns", {{5, 4}, {1, 2}, {1, 2}},
             [](Tape<double>& t, const Leaves& x) {
               return NormalizeColumns(t, Inner(x[0]), x[1], x[2], {});
             }),
      Matrix("NormalizeColumnsByCountedMoments", {{5, 2}, {1, 2}, {1, 2}},
             [](Tape<double>& t, const Leaves& x) {
               return NormalizeColumns(t, x[0], x[1], x[2], {kMean, kInverseDeviation});
             }),
      Matrix("SegmentSoftmax", {{5, 1}},
             [segments](Tape<double>& t, const Leaves& x) {
               return SegmentSoftmax(t, x[0], segments);
             }),
      Matrix("SegmentSum", {{5, 5}, {5, 1}},
             [segments](Tape<double>& t, const Leaves& x) {
               return SegmentSum(t, Inner(x[0]), x[1], segments);
             }),
  };
}

constexpr uint32_t kSamples[] = {2, 0, 3, 1};
constexpr uint32_t kOffsets[] = {0, 1, 1, 4, 6};
constexpr uint32_t kRows[] = {2, 0, 2, 2, 1, 0};
constexpr float kWeights[] = {0.5F, 2, 1, 0.25F, 1, 3};
const std::vector<double> kLabel = {1, 0, -1, 1};
const std::vector<double> kWeight = {2, 0.5, 0, 1};
const double kScale = 0.7;

// x0 x1, and x0 (x1 x2 + (1 - x1) x3).
constexpr FunnelStep kProduct[] = {{.logit = 1}, {.logit = 0, .yes = 0}};
constexpr FunnelStep kMixture[] = {
    {.logit = 2}, {.logit = 3}, {.logit = 1, .yes = 0, .no = 1}, {.logit = 0, .yes = 2}};

constexpr uint32_t kFields[] = {0, 4, 2};

D PoolInto(Tape<double>& t, const D& table, const float* weights, Pooling pooling) {
  D out = t.New(4, table.cols + 3, table.depends);
  std::fill_n(out.value, out.size(), 0.0);
  PoolRows(t, table, {kSamples, kOffsets, kRows, weights}, pooling,
           SliceColumns(out, 2, table.cols));
  return out;
}

std::vector<OpCase> PoolingAndLossCases() {
  const Target<double> target{kLabel.data(), kWeight.data()};
  return {
      Matrix("PairProducts", {{4, 6}},
             [](Tape<double>& t, const Leaves& x) {
               return PairProducts<double>(t, x[0], kFields, 2);
             }),
      Matrix("SumColumns", {{4, 5}},
             [](Tape<double>& t, const Leaves& x) { return SumColumns(t, Inner(x[0])); }),
      Matrix("ScaleBlocks", {{4, 6}, {1, 4}},
             [](Tape<double>& t, const Leaves& x) { return ScaleBlocks(t, x[0], x[1], 2); }),
      Matrix("PoolColumnsOfATable", {{3, 5}},
             [](Tape<double>& t, const Leaves& x) {
               return PoolInto(t, Inner(x[0]), kWeights, Pooling::kMean);
             }),
      Matrix("PoolSum", {{3, 2}},
             [](Tape<double>& t, const Leaves& x) {
               return PoolInto(t, x[0], nullptr, Pooling::kSum);
             }),
      Matrix("PoolMean", {{3, 2}},
             [](Tape<double>& t, const Leaves& x) {
               return PoolInto(t, x[0], nullptr, Pooling::kMean);
             }),
      Matrix("PoolWeightedMean", {{3, 2}},
             [](Tape<double>& t, const Leaves& x) {
               return PoolInto(t, x[0], kWeights, Pooling::kMean);
             }),
      {"LogLoss",
       {{4, 1}},
       [target](Tape<double>& t, const Leaves& x, double& loss) {
         loss = kScale * LogLoss(t, x[0], target, &kScale);
         return D();
       }},
      {"FunnelLogLossOfAProduct",
       {{4, 1}, {4, 1}},
       [target](Tape<double>& t, const Leaves& x, double& loss) {
         loss = kScale * FunnelLogLoss<double>(t, kProduct, x, target, &kScale);
         return D();
       }},
      {"FunnelLogLossOfAMixture",
       {{4, 1}, {4, 1}, {4, 1}, {4, 1}},
       [target](Tape<double>& t, const Leaves& x, double& loss) {
         loss = kScale * FunnelLogLoss<double>(t, kMixture, x, target, &kScale);
         return D();
       }},
  };
}

// One evaluation: the loss, and with `gradients` what came back to each leaf.
class Evaluation {
 public:
  explicit Evaluation(const OpCase& op) : op_(op), tape_(gemm_, GenericKernels<double>()) {
    Rng rng(17);
    for (const Shape& shape : op.leaves) {
      std::vector<double>& leaf = values_.emplace_back(shape.rows * shape.cols);
      for (double& x : leaf)
        x = rng.Normal();
      grads_.emplace_back(leaf.size());
    }
  }

  double Loss() { return Run(kNoGradients); }
  double Run(Gradients wanted) {
    tape_.Reset(wanted == kNoGradients ? Tape<double>::Recording::kNo
                                       : Tape<double>::Recording::kYes);
    buffers_.clear();
    buffers_.reserve(values_.size());
    Leaves leaves;
    for (size_t i = 0; i < values_.size(); ++i) {
      buffers_.push_back({grads_[i].data(), grads_[i].size(), false});
      // The first leaf plays the inputs, the others the parameters.
      leaves.push_back(tape_.Leaf(values_[i].data(), op_.leaves[i].rows, op_.leaves[i].cols,
                                  i == 0 ? kInputs : kParameters, &buffers_[i]));
    }
    double loss = 0;
    const D y = op_.op(tape_, leaves, loss);
    if (y) {
      loss = WeightedSum(y);
      tape_.RecordLoss([y](Tape<double>& t) {
        double* dy = t.Grad(y);
        for (size_t i = 0; i < y.size(); ++i)
          dy[i] += Coefficient(i);
      });
    }
    if (wanted != kNoGradients)
      tape_.Backward(wanted);
    return loss;
  }

  std::vector<std::vector<double>>& values() { return values_; }
  const std::vector<std::vector<double>>& grads() const { return grads_; }
  bool reached(size_t leaf) const { return buffers_[leaf].live; }

 private:
  static double Coefficient(size_t i) { return std::sin(static_cast<double>(i) * 1.7 + 0.3); }
  static double WeightedSum(const D& y) {
    double sum = 0;
    for (size_t i = 0; i < y.size(); ++i)
      sum += Coefficient(i) * y.value[i];
    return sum;
  }

  const OpCase& op_;
  Gemm gemm_ = Gemm::Create(GemmBackend::kEigen);
  Tape<double> tape_;
  std::vector<std::vector<double>> values_;
  std::vector<std::vector<double>> grads_;
  std::vector<GradBuffer<double>> buffers_;
};

class TapeOpsTest : public testing::TestWithParam<OpCase> {};

TEST_P(TapeOpsTest, GradientEqualsCentralDifference) {
  Evaluation evaluation(GetParam());
  evaluation.Run(kBoth);
  const std::vector<std::vector<double>> grads = evaluation.grads();

  for (size_t leaf = 0; leaf < grads.size(); ++leaf) {
    ASSERT_TRUE(evaluation.reached(leaf)) << "leaf " << leaf;
  }
  for (size_t leaf = 0; leaf < grads.size(); ++leaf) {
    for (size_t i = 0; i < grads[leaf].size(); ++i) {
      double& x = evaluation.values()[leaf][i];
      const double before = x;
      constexpr double kStep = 1e-5;
      x = before + kStep;
      const double above = evaluation.Loss();
      x = before - kStep;
      const double below = evaluation.Loss();
      x = before;
      EXPECT_NEAR(grads[leaf][i], (above - below) / (2 * kStep), 2e-8)
          << "leaf " << leaf << " element " << i;
    }
  }
}

TEST_P(TapeOpsTest, PassForOneKindOfLeafLeavesTheOtherAlone) {
  Evaluation evaluation(GetParam());
  evaluation.Run(kBoth);
  const std::vector<std::vector<double>> both = evaluation.grads();

  evaluation.Run(kInputs);
  EXPECT_TRUE(evaluation.reached(0));
  EXPECT_EQ(evaluation.grads()[0], both[0]);
  for (size_t leaf = 1; leaf < both.size(); ++leaf)
    EXPECT_FALSE(evaluation.reached(leaf));

  evaluation.Run(kParameters);
  EXPECT_FALSE(evaluation.reached(0));
  for (size_t leaf = 1; leaf < both.size(); ++leaf) {
    EXPECT_TRUE(evaluation.reached(leaf));
    EXPECT_EQ(evaluation.grads()[leaf], both[leaf]);
  }
}

TEST(CountMomentsTest, WhatIsCountedGivesTheMomentsBack) {
  const Gemm gemm = Gemm::Create(GemmBackend::kEigen);
  Tape<double> tape(gemm, GenericKernels<double>());
  const double x[] = {1, 10, 2, 14, 6, 12};
  std::vector<double> counted(5);
  GradBuffer<double> buffer{counted.data(), 5, false};
  const std::vector<double> nothing(5);
  tape.Reset(Tape<double>::Recording::kYes);
  const D sums = tape.Leaf(nothing.data(), 1, 5, kParameters, &buffer);

  CountMoments(tape, tape.Constant(x, 3, 2), sums);

  EXPECT_THAT(counted, testing::ElementsAre(9, 36, 41, 440, 3));
  const D values = tape.Constant(counted.data(), 1, 5);
  EXPECT_TRUE(HasMoments(values));
  EXPECT_FALSE(HasMoments(sums));
  const Moments<double> moments = MomentsOf(tape, values);
  EXPECT_DOUBLE_EQ(moments.mean[1], 12);
  EXPECT_NEAR(moments.inverse_deviation[1], 1 / std::sqrt(8.0 / 3 + 1e-5), 1e-12);
  EXPECT_NEAR(MomentsOf(tape, sums).inverse_deviation[0], 1 / std::sqrt(1 + 1e-5), 1e-12);
}

std::string CaseName(const testing::TestParamInfo<OpCase>& info) {
  return info.param.name;
}
INSTANTIATE_TEST_SUITE_P(Linear, TapeOpsTest, testing::ValuesIn(LinearCases()), CaseName);
INSTANTIATE_TEST_SUITE_P(Elements, TapeOpsTest, testing::ValuesIn(ElementwiseCases()), CaseName);
INSTANTIATE_TEST_SUITE_P(Rows, TapeOpsTest, testing::ValuesIn(RowCases()), CaseName);
INSTANTIATE_TEST_SUITE_P(Ends, TapeOpsTest, testing::ValuesIn(PoolingAndLossCases()), CaseName);

}  // namespace
}  // namespace antiphon
