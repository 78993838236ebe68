// What a tower learns by: its loss_type and delayed_feedback, asked in one place. Pure functions.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "common/data/batch_builder.h"
#include "models/tape/loss_ops.h"
#include "proto/job.pb.h"

namespace antiphon {

struct LossSpec {
  TaskTower::LossType type = TaskTower::CLASSIFICATION;
  double huber_delta = 1;
  std::optional<DelayedFeedback::Method> delayed;
  size_t late_positive = 0;  // tasks; only with ES_DFM
  size_t real_negative = 0;

  // Whether it compares the samples of a request.
  bool is_ranking() const { return type == TaskTower::PAIRWISE || type == TaskTower::LISTWISE; }
  // Whether the tower's output stands for a number, not for a probability or a score.
  bool is_regression() const {
    return type == TaskTower::L2_LOSS || type == TaskTower::HUBER ||
           type == TaskTower::WEIGHTED_LOGISTIC;
  }
};

// By task. The model has passed CheckModelConfig.
std::vector<LossSpec> LossSpecs(const ModelConfig& model);

// What a label may be that this loss reads.
LabelRange RangeOf(TaskTower::LossType type);

// Records the loss of task k and returns its plain weighted sum.
template <typename T>
double TaskLoss(Tape<T>& tape, const LossSpec& loss, std::span<const Var<T>> logits, size_t k,
                const Target<T>& target, const T* scale);

// What the sum of all of a batch is divided by under BY_COUNT: the weight of the samples, pairs or
// requests that it runs over.
double LossWeight(const LossSpec& loss, const Target<float>& target, size_t rows);

// The number that a regression's output predicts.
double PredictedNumber(const LossSpec& loss, double output);

// The logit of what an output predicts: for FNC that of p / (1 - p), else the output itself.
double PredictedLogitOf(const LossSpec& loss, double output);
// The same of every row; the outputs themselves where that is what they are.
template <typename T>
Var<T> PredictedLogits(Tape<T>& tape, const LossSpec& loss, const Var<T>& output);

}  // namespace antiphon
