#include "models/tape/tape.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/tape/column_ops.h"
#include "models/tape/elementwise_ops.h"
#include "models/tape/linear_ops.h"
#include "models/tape/loss_ops.h"

namespace antiphon {
namespace {

using testing::Each;

class TapeTest : public testing::Test {
 protected:
  // A leaf of `size` floats, all 0.5, whose gradient lies in grads_[i].
  Var<float> Leaf(size_t i, size_t rows, size_t cols) {
    values_[i].assign(rows * cols, 0.5F);
    grads_[i].assign(rows * cols, 0);
    buffers_[i] = {grads_[i].data(), grads_[i].size(), buffers_[i].live};
    return tape_.Leaf(values_[i].data(), rows, cols, kParameters, &buffers_[i]);
  }

  Gemm gemm_ = Gemm::Create(GemmBackend::kEigen);
  Tape<float> tape_{gemm_, GenericKernels<float>()};
  std::vector<float> values_[4];
  std::vector<float> grads_[4];
  GradBuffer<float> buffers_[4];
  std::vector<float> label_ = {1, 0, 1, 0};
  std::vector<float> weight_ = {1, 1, 1, 1};
  float scale_ = 1;
};

TEST_F(TapeTest, StepLikeTheLastOneAllocatesNothing) {
  uint64_t blocks = 0;
  for (int step = 0; step < 5; ++step) {
    tape_.Reset(Tape<float>::Recording::kYes);
    Var<float> x = Leaf(0, 256, 300);
    for (int layer = 0; layer < 20; ++layer) {
      x = Linear(tape_, x, Leaf(1, 300, 300), Leaf(2, 1, 300), Activation::kRelu);
    }
    if (step == 2)
      blocks = tape_.arena_blocks();
  }

  EXPECT_GT(blocks, 1U);
  EXPECT_EQ(tape_.arena_blocks(), blocks);
}

TEST_F(TapeTest, ValueUsedTwiceGetsBothGradients) {
  tape_.Reset(Tape<float>::Recording::kYes);
  const Var<float> x = Leaf(0, 4, 1);

  LogLoss(tape_, Add(tape_, x, x), {label_.data(), weight_.data()}, &scale_);
  tape_.Backward(kBoth);

  const double sigmoid = 1 / (1 + std::exp(-1.0));
  EXPECT_NEAR(grads_[0][0], 2 * (sigmoid - 1), 1e-6);
  EXPECT_NEAR(grads_[0][1], 2 * sigmoid, 1e-6);
}

TEST_F(TapeTest, WhatNoLossDependsOnIsNotReached) {
  tape_.Reset(Tape<float>::Recording::kYes);
  const Var<float> x = Leaf(0, 4, 1);
  const Var<float> used = Linear(tape_, x, Leaf(1, 1, 1), Var<float>(), Activation::kLinear);
  Linear(tape_, x, Leaf(2, 1, 1), Var<float>(), Activation::kLinear);

  LogLoss(tape_, used, {label_.data(), weight_.data()}, &scale_);
  tape_.Backward(kBoth);

  EXPECT_TRUE(buffers_[1].live);
  EXPECT_FALSE(buffers_[2].live);
}

TEST_F(TapeTest, LossWithoutAWeightReachesNothing) {
  tape_.Reset(Tape<float>::Recording::kYes);
  weight_.assign(4, 0);
  label_.assign(4, std::numeric_limits<float>::quiet_NaN());

  const double loss = LogLoss(tape_, Leaf(0, 4, 1), {label_.data(), weight_.data()}, &scale_);
  tape_.Backward(kBoth);

  EXPECT_EQ(loss, 0);
  EXPECT_FALSE(buffers_[0].live);
}

TEST_F(TapeTest, StopGradientLetsNothingThrough) {
  tape_.Reset(Tape<float>::Recording::kYes);
  const Var<float> x = Leaf(0, 4, 1);
  const Var<float> y = Leaf(1, 4, 1);

  LogLoss(tape_, Multiply(tape_, StopGradient(x), y), {label_.data(), weight_.data()}, &scale_);
  tape_.Backward(kBoth);

  EXPECT_FALSE(buffers_[0].live);
  EXPECT_TRUE(buffers_[1].live);
}

TEST_F(TapeTest, SecondPassMayUseAnotherScale) {
  tape_.Reset(Tape<float>::Recording::kYes);
  const Var<float> x = Leaf(0, 4, 1);
  LogLoss(tape_, Activate(tape_, x, Activation::kTanh), {label_.data(), weight_.data()}, &scale_);
  tape_.Backward(kBoth);
  std::vector<float> expected = grads_[0];
  for (float& g : expected)
    g *= 4;

  buffers_[0].live = false;
  scale_ = 4;
  tape_.DropGradients();
  tape_.Backward(kBoth);

  EXPECT_EQ(grads_[0], expected);
}

TEST_F(TapeTest, LeafKeepsAddingOverSeveralTapes) {
  for (int chunk = 0; chunk < 3; ++chunk) {
    tape_.Reset(Tape<float>::Recording::kYes);
    std::vector<float> keep = grads_[0];
    const Var<float> x = Leaf(0, 4, 1);
    if (!keep.empty())
      std::copy(keep.begin(), keep.end(), grads_[0].begin());
    LogLoss(tape_, x, {label_.data(), weight_.data()}, &scale_);
    tape_.Backward(kBoth);
  }

  const double sigmoid = 1 / (1 + std::exp(-0.5));
  EXPECT_NEAR(grads_[0][1], 3 * sigmoid, 1e-5);
}

TEST_F(TapeTest, NothingIsRememberedWhenScoring) {
  tape_.Reset(Tape<float>::Recording::kNo);

  const Var<float> y =
      Linear(tape_, Leaf(0, 4, 1), Leaf(1, 1, 1), Var<float>(), Activation::kLinear);

  EXPECT_EQ(y.grad, nullptr);
  EXPECT_THAT(std::vector<float>(y.value, y.value + 4), Each(0.25F));
}

TEST_F(TapeTest, DropoutOfASliceIsThatOfTheWhole) {
  tape_.Reset(Tape<float>::Recording::kYes);
  const Var<float> x = Leaf(0, 6, 50);
  const Var<float> whole = Dropout(tape_, x, 0.5F, {.seed = 9, .first_row = 0});
  Var<float> lower_half = x;
  lower_half.value += 3 * 50;
  lower_half.rows = 3;

  const Var<float> part = Dropout(tape_, lower_half, 0.5F, {.seed = 9, .first_row = 3});

  EXPECT_TRUE(std::equal(part.value, part.value + part.size(), whole.value + 3 * 50));
  const auto kept = std::count(whole.value, whole.value + whole.size(), 1.0F);
  EXPECT_NEAR(static_cast<double>(kept), 150, 40);
}

}  // namespace
}  // namespace antiphon
