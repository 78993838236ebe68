#include "models/funnel.h"

#include <algorithm>
#include <string>

#include "models/esmm.h"
#include "models/isolation.h"
#include "models/model_checks.h"
#include "models/tape/column_ops.h"

namespace antiphon {
namespace {

// Where the event of this name stands; unknown names have been refused.
uint32_t EventIndex(const Funnel& config, const std::string& name) {
  const auto found = std::find_if(
      config.events().begin(), config.events().end(),
      [&name](const FunnelEvent& event) { return event.tower().tower_name() == name; });
  return static_cast<uint32_t>(found - config.events().begin());
}

std::string ConditionalName(const FunnelEvent& event) {
  if (event.has_conditional_name()) {
    return event.conditional_name();
  }
  const std::string way =
      event.after().empty() ? "not_" + event.after_not(0) : std::string(event.after(0));
  return event.tower().tower_name() + "_given_" + way;
}

// Metrics tell tasks and conditionals apart by name.
void CheckConditionalNames(const Funnel& config, const ModelChecks& checks) {
  std::vector<std::string> names;
  for (const FunnelEvent& event : config.events()) {
    names.push_back(event.tower().tower_name());
  }
  for (const FunnelEvent& event : config.events()) {
    if (event.after().empty() && event.after_not().empty()) {
      continue;
    }
    const std::string name = ConditionalName(event);
    if (name.empty() || std::count(names.begin(), names.end(), name) > 0) {
      checks.fields().Add(checks.Path("conditional_name"),
                          "\"" + name +
                              "\" is empty or used twice, expected a name for what "
                              "metrics say of " +
                              event.tower().tower_name() + " beside the towers'");
    }
    names.push_back(name);
  }
}

FunnelGraph GraphOf(const Funnel& config) {
  StatusOr<FunnelGraph> graph = FunnelGraph::Create(FunnelModel<float>::Events(config));
  CHECK(graph.ok()) << "the job was not checked: " << graph.status();
  return *std::move(graph);
}

// The names of the towers of an event: its own, or one a way when there are several.
std::vector<std::string> TowerNames(const FunnelEvent& event) {
  const std::string& name = event.tower().tower_name();
  if (event.after_size() + event.after_not_size() < 2) {
    return {name};
  }
  std::vector<std::string> names;
  for (const std::string& before : event.after()) {
    names.push_back(name + ".after_" + before);
  }
  for (const std::string& absent : event.after_not()) {
    names.push_back(name + ".after_not_" + absent);
  }
  return names;
}

}  // namespace

template <typename T>
FunnelModel<T>::FunnelModel(const Funnel& config, const InputShape& input, BlockList& blocks)
    : graph_(GraphOf(config)),
      stop_earlier_grad_(config.stop_earlier_grad()),
      bottom_("bottom", input.width, config.bottom_dnn(), 1, blocks) {
  for (const FunnelEvent& event : config.events()) {
    for (const std::string& name : TowerNames(event)) {
      towers_.emplace_back(name, bottom_.outputs(), event.tower().dnn(), blocks);
      isolation_.push_back(event.tower().isolate());
    }
    if (event.after_size() + event.after_not_size() > 0) {
      conditionals_.push_back(has_loss_.size());
    }
    has_loss_.push_back(event.tower().weight() > 0);
  }
}

template <typename T>
FunnelModel<T>::FunnelModel(const Esmm& config, const InputShape& input, BlockList& blocks)
    : FunnelModel(EsmmAsFunnel(config), input, blocks) {}

template <typename T>
void FunnelModel<T>::Check(const Funnel& config, const ModelChecks& checks) {
  if (config.has_bottom_dnn()) {
    checks.NeedsLayers("bottom_dnn", config.bottom_dnn());
  }
  std::vector<std::string> earlier;
  bool all_known = true;
  for (int k = 0; k < config.events_size(); ++k) {
    const FunnelEvent& event = config.events(k);
    const std::string path = checks.Path(ElementPath("events", k));
    const auto check_ways = [&](const std::string& field, const auto& ways) {
      for (int w = 0; w < ways.size(); ++w) {
        checks.fields().Known(ElementPath(path + field, w), ways[w], "earlier event", earlier);
        all_known = all_known && std::count(earlier.begin(), earlier.end(), ways[w]) == 1;
      }
    };
    check_ways(".after", event.after());
    check_ways(".after_not", event.after_not());
    if (event.has_conditional_name() && event.after().empty() && event.after_not().empty()) {
      checks.fields().Add(path + ".conditional_name",
                          "is not read: the event comes after no other");
    }
    earlier.push_back(event.tower().tower_name());
    if (all_known) {
      std::vector<TaskEvent> events = Events(config);
      events.resize(earlier.size());
      if (const Status status = FunnelGraph::Create(events).status(); !status.ok()) {
        checks.fields().Add(path, "event \"" + earlier.back() + "\" " + status.message());
        return;
      }
    }
  }
  CheckConditionalNames(config, checks);
}

template <typename T>
void FunnelModel<T>::Check(const Esmm& config, const ModelChecks& checks) {
  if (config.has_bottom_dnn()) {
    checks.NeedsLayers("bottom_dnn", config.bottom_dnn());
  }
  CheckConditionalNames(EsmmAsFunnel(config), checks);
}

template <typename T>
std::vector<TaskEvent> FunnelModel<T>::Events(const Funnel& config) {
  std::vector<TaskEvent> events;
  for (const FunnelEvent& event : config.events()) {
    TaskEvent& added = events.emplace_back();
    for (const std::string& name : event.after()) {
      added.ways.push_back({EventIndex(config, name), true});
    }
    for (const std::string& name : event.after_not()) {
      added.ways.push_back({EventIndex(config, name), false});
    }
    if (!added.ways.empty()) {
      added.conditional_name = ConditionalName(event);
    }
  }
  return events;
}

template <typename T>
std::vector<TaskEvent> FunnelModel<T>::Events(const Esmm& config) {
  return Events(EsmmAsFunnel(config));
}

template <typename T>
void FunnelModel<T>::Forward(const Pass<T>& pass, const Var<T>& input,
                             std::span<Var<T>> logits) const {
  const Var<T> shared = bottom_.Forward(pass, input, pass.shared);
  for (size_t i = 0; i < towers_.size(); ++i) {
    logits[i] = towers_[i].Forward(pass, TowerInput(shared, isolation_[i]));
  }
}

template <typename T>
void FunnelModel<T>::Losses(Tape<T>& tape, std::span<const Var<T>> logits,
                            std::span<const Target<T>> targets, std::span<const T> scales,
                            std::span<double> sums) const {
  const std::span<Var<T>> seen(tape.template Scratch<Var<T>>(logits.size()), logits.size());
  for (size_t k = 0; k < has_loss_.size(); ++k) {
    for (size_t i = 0; i < logits.size(); ++i) {
      const bool own = i >= graph_.first_logit(k) && i < graph_.first_logit(k + 1);
      const bool learns = has_loss_[k] && (own || !stop_earlier_grad_);
      seen[i] = learns ? logits[i] : StopGradient(logits[i]);
    }
    sums[k] = graph_.steps(k).size() == 1
                  ? LogLoss(tape, seen[graph_.first_logit(k)], targets[k], &scales[k])
                  : FunnelLogLoss<T>(tape, graph_.steps(k), seen, targets[k], &scales[k]);
  }
}

template <typename T>
Var<T> FunnelModel<T>::Predict(Tape<T>& tape, std::span<const Var<T>> logits, size_t k) const {
  const size_t events = has_loss_.size();
  if (k >= events) {
    return graph_.PredictConditional(tape, logits, conditionals_[k - events]);
  }
  return graph_.steps(k).size() == 1 ? logits[graph_.first_logit(k)]
                                     : FunnelLogit(tape, graph_.steps(k), logits);
}

template class FunnelModel<float>;
template class FunnelModel<double>;

}  // namespace antiphon
