// The probability of one event of a funnel, in log space: a loss on the tape, and a prediction.
//
// Whether the event happens is decided by a few steps. Each comes out yes with probability
// sigmoid(a), a its own logit, and then leads to another step, to the event, or to its end. The
// probability to get to the event from step i, and that to miss it, are sums of positive terms:
//
//   P_i = sigmoid(a_i) P_yes(i) + sigmoid(-a_i) P_no(i)      1 for the event, 0 for the end
//   N_i = sigmoid(a_i) N_yes(i) + sigmoid(-a_i) N_no(i)      0 for the event, 1 for the end
//
// so that 1 - P is never a difference and every logit is safe. (ESMM: Ma et al. 2018, equation 3;
// ESM2: Wen et al., SIGIR 2020.)
#pragma once

#include <cstdint>
#include <span>

#include "models/tape/loss_ops.h"
#include "models/tape/tape.h"

namespace antiphon {

// Of one event: a bound that lets a row be computed without memory of its own.
inline constexpr size_t kMaxFunnelSteps = 64;

struct FunnelStep {
  static constexpr int32_t kEvent = -1;
  static constexpr int32_t kEnd = -2;

  uint32_t logit = 0;  // which of the model's logits
  int32_t yes = kEvent;
  int32_t no = kEnd;  // an earlier step of the list, or one of the above

  friend bool operator==(const FunnelStep&, const FunnelStep&) = default;
};

// Logarithms of the probability of an event and of its complement.
struct LogOdds {
  double happens = 0;
  double misses = 0;

  double logit() const { return happens - misses; }
};

// Of row r. The last step is the first to be decided.
template <typename T>
LogOdds FunnelOdds(std::span<const FunnelStep> steps, std::span<const Var<T>> logits, size_t r);

// The logit of P for every row, rows x 1, from the doubles of FunnelOdds. A prediction: no gradient
// flows through it.
template <typename T>
Var<T> FunnelLogit(Tape<T>& tape, std::span<const FunnelStep> steps,
                   std::span<const Var<T>> logits);

// The same given that the event came within reach: log P - log P', where `missed` are the steps to
// "it could have happened and has not".
template <typename T>
Var<T> FunnelConditionalLogit(Tape<T>& tape, std::span<const FunnelStep> steps,
                              std::span<const FunnelStep> missed, std::span<const Var<T>> logits);

// sum_b w l(y, P): the log loss of the event. Logits have one column; those from StopGradient do
// not learn from it. `steps` outlive the backward pass.
template <typename T>
double FunnelLogLoss(Tape<T>& tape, std::span<const FunnelStep> steps,
                     std::span<const Var<T>> logits, const Target<T>& target, const T* scale);

}  // namespace antiphon
