// FunnelGraph: the events of a job as decisions. Every way to an event has a logit of its own; an
// event without ways has one too. For each event the graph knows the steps that decide it.
//
// Pure functions of the events; a graph is frozen.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "models/tape/funnel_op.h"
#include "models/task_events.h"

namespace antiphon {

class FunnelGraph {
 public:
  // Ways name earlier events. InvalidArgument when an event could be reached in two ways at once,
  // whose probabilities could not be added up, and for an event of more than 64 steps.
  static StatusOr<FunnelGraph> Create(std::span<const TaskEvent> events);

  size_t event_count() const { return first_logit_.size() - 1; }
  size_t logit_count() const { return first_logit_.back(); }
  // The logits of event k are [first_logit(k), first_logit(k + 1)), in the order of its ways.
  uint32_t first_logit(size_t k) const { return first_logit_[k]; }
  // Last step first, as FunnelOdds reads them.
  std::span<const FunnelStep> steps(size_t k) const { return steps_[k]; }
  // The logits of event k given that one of its ways came about, rows x 1.
  template <typename T>
  Var<T> PredictConditional(Tape<T>& tape, std::span<const Var<T>> logits, size_t k) const;

 private:
  FunnelGraph() = default;

  Status AddSteps(std::span<const TaskEvent> events, size_t k);
  // The step that is next when an event came out as `way` says, of those that the later ones of
  // `events` have by logit; kEnd when there is none. Sets `clash` when there are several.
  int32_t StepAfter(const EventWay& way, std::span<const TaskEvent> events,
                    std::span<const int32_t> step_of, bool& clash) const;

  std::vector<uint32_t> first_logit_;  // [event], and the end
  std::vector<std::vector<FunnelStep>> steps_;
  std::vector<std::vector<FunnelStep>> missed_;  // the steps to: it could have and has not
};

}  // namespace antiphon
