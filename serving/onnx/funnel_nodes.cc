#include "serving/onnx/funnel_nodes.h"

#include <vector>

namespace antiphon {
namespace {

using Value = OnnxGraph::Value;

// The highest output that has a logit, as in models/task_loss.cc.
constexpr double kHighestOutput = -1e-6;
// Where a probability is too small for a double its logarithm is taken of this.
constexpr double kSmallest = 1e-300;

Value Cast(OnnxGraph& graph, const Value& x, OnnxType type) {
  return graph.AddNode("Cast", {x}, {{.name = "to", .number = type}});
}

// 1 / (1 + exp(-a)) from a negated logit.
Value Probability(OnnxGraph& graph, const Value& minus_a) {
  const Value sum = graph.AddNode("Add", {graph.AddNode("Exp", {minus_a}), graph.AddDouble(1)});
  return graph.AddNode("Div", {graph.AddDouble(1), sum});
}

}  // namespace

Value FunnelNodes::Reach(std::span<const FunnelStep> steps, int32_t certain) const {
  std::vector<Value> reach;  // by step; empty: never
  const auto term = [&](const Value& outcome, int32_t to) -> Value {
    if (to < 0) {
      return to == certain ? outcome : Value();
    }
    const Value& then = reach[static_cast<size_t>(to)];
    return then.empty() ? Value() : graph_.AddNode("Mul", {outcome, then});
  };
  for (const FunnelStep& step : steps) {
    const Value a = Cast(graph_, matrices_.Read(logits_[step.logit]), onnx::TensorProto::DOUBLE);
    const Value minus_a = graph_.AddNode("Neg", {a});
    const Value yes = term(Probability(graph_, minus_a), step.yes);
    const Value no = term(Probability(graph_, a), step.no);
    if (yes.empty() || no.empty()) {
      reach.push_back(yes.empty() ? no : yes);
    } else {
      reach.push_back(graph_.AddNode("Add", {yes, no}));
    }
  }
  return reach.back();
}

Value FunnelNodes::LogRatio(const Value& p, const Value& q) const {
  const auto log = [this](const Value& x) {
    return graph_.AddNode("Log", {graph_.AddNode("Max", {x, graph_.AddDouble(kSmallest)})});
  };
  return Cast(graph_, graph_.AddNode("Sub", {log(p), log(q)}), onnx::TensorProto::FLOAT);
}

Value FakeNegativeNodes(OnnxGraph& graph, const Value& output) {
  const Value wide = Cast(graph, output, onnx::TensorProto::DOUBLE);
  const Value odds = graph.AddNode("Min", {wide, graph.AddDouble(kHighestOutput)});
  const Value rest = graph.AddNode("Sub", {graph.AddDouble(1), graph.AddNode("Exp", {odds})});
  return Cast(graph, graph.AddNode("Sub", {odds, graph.AddNode("Log", {rest})}),
              onnx::TensorProto::FLOAT);
}

}  // namespace antiphon
