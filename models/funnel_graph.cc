#include "models/funnel_graph.h"

#include <algorithm>

namespace antiphon {
namespace {

constexpr int32_t kNowhere = FunnelStep::kEnd;

}  // namespace

StatusOr<FunnelGraph> FunnelGraph::Create(std::span<const TaskEvent> events) {
  FunnelGraph graph;
  uint32_t logits = 0;
  for (const TaskEvent& event : events) {
    graph.first_logit_.push_back(logits);
    logits += std::max<uint32_t>(1, static_cast<uint32_t>(event.ways.size()));
  }
  graph.first_logit_.push_back(logits);
  for (size_t k = 0; k < events.size(); ++k) {
    AP_RETURN_IF_ERROR(graph.AddSteps(events, k));
  }
  return graph;
}

int32_t FunnelGraph::StepAfter(const EventWay& way, std::span<const TaskEvent> events,
                               std::span<const int32_t> step_of, bool& clash) const {
  int32_t found = kNowhere;
  for (size_t later = way.event + 1; later < events.size(); ++later) {
    const std::vector<EventWay>& ways = events[later].ways;
    for (size_t w = 0; w < ways.size(); ++w) {
      const int32_t step = step_of[first_logit_[later] + w];
      if (ways[w] == way && step != kNowhere) {
        clash = clash || found != kNowhere;
        found = step;
      }
    }
  }
  return found;
}

// From the event down to the one that is decided first: what a step leads to is there before it.
Status FunnelGraph::AddSteps(std::span<const TaskEvent> events, size_t k) {
  std::vector<FunnelStep> steps;
  std::vector<int32_t> step_of(first_logit_[k + 1], kNowhere);  // by logit
  size_t beginnings = 0;
  bool clash = false;
  // The step that is next when event j had this outcome.
  const auto next = [&](size_t j, bool happened) {
    return StepAfter({static_cast<uint32_t>(j), happened}, events.first(k + 1), step_of, clash);
  };
  for (size_t j = k + 1; j-- > 0;) {
    const int32_t yes = j == k ? FunnelStep::kEvent : next(j, true);
    const int32_t no = j == k ? FunnelStep::kEnd : next(j, false);
    if (yes == kNowhere && no == kNowhere) {
      continue;
    }
    for (uint32_t logit = first_logit_[j]; logit < first_logit_[j + 1]; ++logit) {
      step_of[logit] = static_cast<int32_t>(steps.size());
      steps.push_back({logit, yes, no});
    }
    beginnings += events[j].ways.empty() ? 1 : 0;
  }
  if (clash || beginnings > 1) {
    return InvalidArgumentError(
        "can come about in two ways at once, expected ways that exclude each other, such as after "
        "and after_not the same event");
  }
  if (steps.size() > kMaxFunnelSteps) {
    return InvalidArgumentError("takes " + std::to_string(steps.size()) +
                                " steps, expected at most " + std::to_string(kMaxFunnelSteps));
  }
  std::vector<FunnelStep>& missed = missed_.emplace_back(steps);
  for (FunnelStep& step : missed) {
    if (step.yes == FunnelStep::kEvent) {
      std::swap(step.yes, step.no);
    }
  }
  steps_.push_back(std::move(steps));
  return Status();
}

template <typename T>
Var<T> FunnelGraph::PredictConditional(Tape<T>& tape, std::span<const Var<T>> logits,
                                       size_t k) const {
  if (first_logit_[k] + 1 == first_logit_[k + 1]) {
    return logits[first_logit_[k]];
  }
  return FunnelConditionalLogit<T>(tape, steps(k), missed_[k], logits);
}

template Var<float> FunnelGraph::PredictConditional(Tape<float>&, std::span<const Var<float>>,
                                                    size_t) const;
template Var<double> FunnelGraph::PredictConditional(Tape<double>&, std::span<const Var<double>>,
                                                     size_t) const;

}  // namespace antiphon
