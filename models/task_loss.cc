#include "models/task_loss.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "common/base/logging.h"
#include "models/model_config.h"
#include "models/tape/column_ops.h"
#include "models/tape/op_trace.h"
#include "models/tape/point_losses.h"
#include "models/tape/ranking_losses.h"

namespace antiphon {
namespace {

// FNC's p / (1 - p) reaches 1 at a = 0, where a logit has no value.
constexpr double kHighestOutput = -1e-6;

size_t TaskNamed(const std::vector<std::string>& names, const std::string& name) {
  const auto found = std::find(names.begin(), names.end(), name);
  CHECK(found != names.end()) << name;
  return static_cast<size_t>(found - names.begin());
}

// Of a task that learns a probability.
template <typename T>
double ProbabilityLoss(Tape<T>& tape, const LossSpec& loss, std::span<const Var<T>> logits,
                       size_t k, const Target<T>& target, const T* scale) {
  if (loss.delayed == DelayedFeedback::FNW) {
    return FakeNegativeLoss(tape, logits[k], target, scale);
  }
  if (loss.delayed == DelayedFeedback::ES_DFM) {
    return ElapsedTimeLoss(tape, logits[k], StopGradient(logits[loss.late_positive]),
                           StopGradient(logits[loss.real_negative]), target, scale);
  }
  return LogLoss(tape, logits[k], target, scale);
}

}  // namespace

std::vector<LossSpec> LossSpecs(const ModelConfig& model) {
  const std::vector<std::string> names = TaskNames(model);
  std::vector<LossSpec> losses;
  for (const TowerRef& ref : Towers(model)) {
    const TaskTower& tower = *ref.tower;
    LossSpec& loss = losses.emplace_back();
    loss.type = tower.loss_type();
    loss.huber_delta = tower.huber_delta();
    if (tower.has_delayed_feedback()) {
      loss.delayed = tower.delayed_feedback().method();
    }
    if (loss.delayed == DelayedFeedback::ES_DFM) {
      loss.late_positive = TaskNamed(names, tower.delayed_feedback().late_positive_tower());
      loss.real_negative = TaskNamed(names, tower.delayed_feedback().real_negative_tower());
    }
  }
  return losses;
}

LabelRange RangeOf(TaskTower::LossType type) {
  switch (type) {
    case TaskTower::CLASSIFICATION:
      return LabelRange::kZeroOrOne;
    case TaskTower::WEIGHTED_LOGISTIC:
    case TaskTower::LISTWISE:
      return LabelRange::kNotNegative;
    case TaskTower::L2_LOSS:
    case TaskTower::HUBER:
    case TaskTower::PAIRWISE:
      return LabelRange::kAnyNumber;
  }
  return LabelRange::kZeroOrOne;
}

template <typename T>
double TaskLoss(Tape<T>& tape, const LossSpec& loss, std::span<const Var<T>> logits, size_t k,
                const Target<T>& target, const T* scale) {
  switch (loss.type) {
    case TaskTower::CLASSIFICATION:
      return ProbabilityLoss(tape, loss, logits, k, target, scale);
    case TaskTower::L2_LOSS:
      return SquaredLoss(tape, logits[k], target, scale);
    case TaskTower::HUBER:
      return HuberLoss(tape, logits[k], target, loss.huber_delta, scale);
    case TaskTower::WEIGHTED_LOGISTIC:
      return WeightedLogisticLoss(tape, logits[k], target, scale);
    case TaskTower::PAIRWISE:
      return PairwiseLoss(tape, logits[k], target, scale);
    case TaskTower::LISTWISE:
      return ListwiseLoss(tape, logits[k], target, scale);
  }
  return 0;
}

double LossWeight(const LossSpec& loss, const Target<float>& target, size_t rows) {
  if (loss.type == TaskTower::PAIRWISE) {
    return PairWeight(target, rows);
  }
  if (loss.type == TaskTower::LISTWISE) {
    return ListWeight(target, rows);
  }
  double total = 0;
  for (size_t r = 0; r < rows; ++r) {
    total += target.weight[r];
  }
  return total;
}

double PredictedNumber(const LossSpec& loss, double output) {
  return loss.type == TaskTower::WEIGHTED_LOGISTIC ? std::exp(output) : output;
}

double PredictedLogitOf(const LossSpec& loss, double output) {
  if (loss.delayed != DelayedFeedback::FNC) {
    return output;
  }
  const double log_odds = std::min(output, kHighestOutput);  // log of p / (1 - p)
  return log_odds - std::log(-std::expm1(log_odds));
}

template <typename T>
Var<T> PredictedLogits(Tape<T>& tape, const LossSpec& loss, const Var<T>& output) {
  if (loss.delayed != DelayedFeedback::FNC) {
    return output;
  }
  Var<T> predicted = tape.New(output.rows, 1, kNoGradients);
  for (size_t r = 0; r < output.rows; ++r) {
    predicted.value[r] = static_cast<T>(PredictedLogitOf(loss, *output.view().row(r)));
  }
  if (tape.trace() != nullptr) {
    tape.trace()->FakeNegativeLogit(predicted, output);
  }
  return predicted;
}

template double TaskLoss(Tape<float>&, const LossSpec&, std::span<const Var<float>>, size_t,
                         const Target<float>&, const float*);
template Var<float> PredictedLogits(Tape<float>&, const LossSpec&, const Var<float>&);
template Var<double> PredictedLogits(Tape<double>&, const LossSpec&, const Var<double>&);
template double TaskLoss(Tape<double>&, const LossSpec&, std::span<const Var<double>>, size_t,
                         const Target<double>&, const double*);

}  // namespace antiphon
