#include "models/tape/funnel_op.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "models/tape/op_trace.h"

namespace antiphon {
namespace {

constexpr double kNever = -std::numeric_limits<double>::infinity();  // log 0

double LogSigmoid(double a) {
  return std::min(a, 0.0) - std::log1p(std::exp(-std::abs(a)));
}

double LogAdd(double x, double y) {
  const double high = std::max(x, y);
  return high == kNever ? kNever : high + std::log1p(std::exp(std::min(x, y) - high));
}

// What follows a step: log P of the outcome `to`, given those of the steps before it.
double LogAfter(int32_t to, const double* log_p, int32_t certain) {
  if (to >= 0) {
    return log_p[to];
  }
  return to == certain ? 0 : kNever;
}

// log of the probability to end in `certain` from every step.
template <typename T>
void LogReach(std::span<const FunnelStep> steps, std::span<const Var<T>> logits, size_t r,
              int32_t certain, double* log_p) {
  for (size_t i = 0; i < steps.size(); ++i) {
    const double a = logits[steps[i].logit].value[r];
    log_p[i] = LogAdd(LogSigmoid(a) + LogAfter(steps[i].yes, log_p, certain),
                      LogSigmoid(-a) + LogAfter(steps[i].no, log_p, certain));
  }
}

// Where P is small log1p(-P) keeps the digits of log(1 - P); where it is near 1 the sum does.
template <typename T>
LogOdds Odds(std::span<const FunnelStep> steps, std::span<const Var<T>> logits, size_t r,
             double* scratch) {
  LogOdds odds;
  LogReach(steps, logits, r, FunnelStep::kEvent, scratch);
  odds.happens = scratch[steps.size() - 1];
  if (odds.happens < std::log(0.5)) {
    odds.misses = std::log1p(-std::exp(odds.happens));
  } else {
    LogReach(steps, logits, r, FunnelStep::kEnd, scratch);
    odds.misses = scratch[steps.size() - 1];
  }
  return odds;
}

// Adds error * d log P / d a to the gradient of every logit of row r. `log_p` are those to get to
// the event; `share` is what a step has of d log P.
template <typename T>
void AddGradients(const Tape<T>& tape, std::span<const FunnelStep> steps,
                  std::span<const Var<T>> logits, size_t r, double error, const double* log_p) {
  double share[kMaxFunnelSteps];
  std::fill_n(share, steps.size(), 0.0);
  share[steps.size() - 1] = error;
  for (size_t i = steps.size(); i-- > 0;) {
    const FunnelStep& step = steps[i];
    const Var<T>& logit = logits[step.logit];
    const double a = logit.value[r];
    const auto part = [&](double log_outcome, int32_t to) {
      return share[i] * std::exp(log_outcome + LogAfter(to, log_p, FunnelStep::kEvent) - log_p[i]);
    };
    const double yes = part(LogSigmoid(a), step.yes);
    const double no = part(LogSigmoid(-a), step.no);
    if (tape.Wants(logit)) {
      const double slope = yes * std::exp(LogSigmoid(-a)) - no * std::exp(LogSigmoid(a));
      tape.Grad(logit)[r] += static_cast<T>(slope);
    }
    if (step.yes >= 0)
      share[step.yes] += yes;
    if (step.no >= 0)
      share[step.no] += no;
  }
}

}  // namespace

template <typename T>
LogOdds FunnelOdds(std::span<const FunnelStep> steps, std::span<const Var<T>> logits, size_t r) {
  double scratch[kMaxFunnelSteps];
  DCHECK_LE(steps.size(), kMaxFunnelSteps);
  return Odds(steps, logits, r, scratch);
}

template <typename T>
Var<T> FunnelLogit(Tape<T>& tape, std::span<const FunnelStep> steps,
                   std::span<const Var<T>> logits) {
  Var<T> y = tape.New(logits.front().rows, 1, kNoGradients);
  for (size_t r = 0; r < y.rows; ++r) {
    y.value[r] = static_cast<T>(FunnelOdds(steps, logits, r).logit());
  }
  if (tape.trace() != nullptr) {
    tape.trace()->FunnelLogit(y, steps, logits);
  }
  return y;
}

template <typename T>
Var<T> FunnelConditionalLogit(Tape<T>& tape, std::span<const FunnelStep> steps,
                              std::span<const FunnelStep> missed, std::span<const Var<T>> logits) {
  Var<T> y = tape.New(logits.front().rows, 1, kNoGradients);
  for (size_t r = 0; r < y.rows; ++r) {
    y.value[r] = static_cast<T>(FunnelOdds(steps, logits, r).happens -
                                FunnelOdds(missed, logits, r).happens);
  }
  if (tape.trace() != nullptr) {
    tape.trace()->FunnelConditionalLogit(y, steps, missed, logits);
  }
  return y;
}

template <typename T>
double FunnelLogLoss(Tape<T>& tape, std::span<const FunnelStep> steps,
                     std::span<const Var<T>> logits, const Target<T>& target, const T* scale) {
  const size_t rows = logits.front().rows;
  double scratch[kMaxFunnelSteps];
  double loss = 0;
  bool any = false;
  for (size_t r = 0; r < rows; ++r) {
    if (target.weight[r] != 0) {
      const LogOdds odds = Odds(steps, logits, r, scratch);
      loss -= target.weight[r] * (target.label[r] > 0 ? odds.happens : odds.misses);
      any = true;
    }
  }
  if (!any) {
    return 0;
  }
  Var<T>* kept = tape.template Scratch<Var<T>>(logits.size());
  std::copy(logits.begin(), logits.end(), kept);
  const std::span<const Var<T>> vars(kept, logits.size());
  tape.RecordLoss([steps, vars, target, scale, rows](Tape<T>& t) {
    if (*scale == 0) {
      return;
    }
    double log_p[kMaxFunnelSteps];
    for (size_t r = 0; r < rows; ++r) {
      if (target.weight[r] == 0) {
        continue;
      }
      // d(-log P) = -d log P;  d(-log(1 - P)) = P/(1 - P) d log P.
      double error = -1;
      if (!(target.label[r] > 0)) {
        error = std::exp(Odds(steps, vars, r, log_p).logit());
      }
      LogReach(steps, vars, r, FunnelStep::kEvent, log_p);
      AddGradients(t, steps, vars, r, error * *scale * target.weight[r], log_p);
    }
  });
  return loss;
}

#define AP_INSTANTIATE(T)                                                                       \
  template LogOdds FunnelOdds(std::span<const FunnelStep>, std::span<const Var<T>>, size_t);    \
  template Var<T> FunnelLogit(Tape<T>&, std::span<const FunnelStep>, std::span<const Var<T>>);  \
  template Var<T> FunnelConditionalLogit(Tape<T>&, std::span<const FunnelStep>,                 \
                                         std::span<const FunnelStep>, std::span<const Var<T>>); \
  template double FunnelLogLoss(Tape<T>&, std::span<const FunnelStep>, std::span<const Var<T>>, \
                                const Target<T>&, const T*);
AP_INSTANTIATE(float)
AP_INSTANTIATE(double)
#undef AP_INSTANTIATE

}  // namespace antiphon
