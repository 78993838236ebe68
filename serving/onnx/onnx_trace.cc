#include "serving/onnx/onnx_trace.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "models/tape/norm_ops.h"
#include "serving/onnx/funnel_nodes.h"

namespace antiphon {
namespace {

constexpr float kNormEpsilon = 1e-5F;

OnnxAttribute Axis(int64_t axis) {
  return {.name = "axis", .number = axis};
}

}  // namespace

void OnnxTrace::Fail(const std::string& what) {
  if (status_.ok()) {
    status_ = UnimplementedError(what);
  }
}

bool OnnxTrace::IsFolded(const Var<float>& y, std::initializer_list<Var<float>> arguments) {
  const bool folded = std::ranges::all_of(
      arguments, [this](const Var<float>& x) { return !x || matrices_.IsConstant(x); });
  if (folded) {
    matrices_.SetConstant(y, "");
  }
  return folded;
}

OnnxTrace::Value OnnxTrace::Activated(const Value& x, Activation activation) {
  switch (activation) {
    case Activation::kLinear:
      return x;
    case Activation::kRelu:
      return graph_.AddNode("Relu", {x});
    case Activation::kSigmoid:
      return graph_.AddNode("Sigmoid", {x});
    case Activation::kTanh:
      return graph_.AddNode("Tanh", {x});
  }
  return x;
}

OnnxTrace::Value OnnxTrace::SumOver(const Value& x, int64_t axis, bool keep) {
  return graph_.AddNode("ReduceSum", {x, graph_.AddInts({axis})},
                        {{.name = "keepdims", .number = keep ? 1 : 0}});
}

void OnnxTrace::StackedLinear(const Var<float>& y, const Var<float>& x, const Var<float>& weight,
                              const Var<float>& bias, uint32_t count, Activation activation) {
  if (IsFolded(y, {x, weight, bias})) {
    return;
  }
  if (!matrices_.IsConstant(weight) || (bias && !matrices_.IsConstant(bias))) {
    return Fail("a layer whose weights depend on the sample has no translation");
  }
  const uint32_t outputs = weight.rows / count;
  std::vector<Value> parts;
  for (uint32_t i = 0; i < count; ++i) {
    Var<float> own = weight;
    own.value += size_t{i} * outputs * weight.stride;
    own.rows = outputs;
    std::vector<Value> inputs = {matrices_.ReadColumns(x, i * weight.cols, weight.cols),
                                 matrices_.Read(own)};
    if (bias) {
      inputs.push_back(matrices_.ReadColumns(bias, i * outputs, outputs, As::kVector));
    }
    const OnnxAttribute transposed[] = {{.name = "transB", .number = 1}};
    parts.push_back(Activated(graph_.AddNode("Gemm", inputs, transposed), activation));
  }
  matrices_.SetParts(y, parts);
}

void OnnxTrace::LayerNorm(const Var<float>& y, const Var<float>& x, const Var<float>& gamma,
                          const Var<float>& beta, uint32_t count) {
  if (IsFolded(y, {x, gamma, beta})) {
    return;
  }
  const uint32_t width = x.cols / count;
  std::vector<Value> parts;
  for (uint32_t i = 0; i < count; ++i) {
    const Value inputs[] = {matrices_.ReadColumns(x, i * width, width),
                            matrices_.ReadColumns(gamma, i * width, width, As::kVector),
                            matrices_.ReadColumns(beta, i * width, width, As::kVector)};
    const OnnxAttribute attributes[] = {
        Axis(1), {.name = "epsilon", .real = kNormEpsilon, .kind = OnnxAttribute::Kind::kFloat}};
    parts.push_back(graph_.AddNode("LayerNormalization", inputs, attributes));
  }
  matrices_.SetParts(y, parts);
}

void OnnxTrace::NormalizeColumns(const Var<float>& y, const Var<float>& x, const Var<float>& gamma,
                                 const Var<float>& beta, const Moments<float>& moments) {
  const int64_t dims[] = {x.cols};
  const Value mean = graph_.AddFloats({moments.mean, x.cols}, dims, "mean");
  const Value inverse =
      graph_.AddFloats({moments.inverse_deviation, x.cols}, dims, "inverse_deviation");
  Value value = graph_.AddNode("Sub", {matrices_.Read(x), mean});
  value = graph_.AddNode("Mul", {value, inverse});
  value = graph_.AddNode("Mul", {value, matrices_.Read(gamma, As::kVector)});
  matrices_.Set(y, graph_.AddNode("Add", {value, matrices_.Read(beta, As::kVector)}));
}

void OnnxTrace::Activate(const Var<float>& y, const Var<float>& x, Activation activation) {
  if (!IsFolded(y, {x})) {
    matrices_.Set(y, Activated(matrices_.Read(x), activation));
  }
}

void OnnxTrace::PRelu(const Var<float>& y, const Var<float>& x, const Var<float>& alpha) {
  WithRow("PRelu", y, x, alpha);
}

void OnnxTrace::Softmax(const Var<float>& y, const Var<float>& x) {
  if (!IsFolded(y, {x})) {
    matrices_.Set(y, graph_.AddNode("Softmax", {matrices_.Read(x)}, {Axis(1)}));
  }
}

void OnnxTrace::Elementwise(const std::string& op, const Var<float>& z, const Var<float>& x,
                            const Var<float>& y) {
  if (!IsFolded(z, {x, y})) {
    matrices_.Set(z, graph_.AddNode(op, {matrices_.Read(x), matrices_.Read(y)}));
  }
}

void OnnxTrace::WithRow(const std::string& op, const Var<float>& y, const Var<float>& x,
                        const Var<float>& row) {
  if (!IsFolded(y, {x, row})) {
    matrices_.Set(y, graph_.AddNode(op, {matrices_.Read(x), matrices_.Read(row, As::kVector)}));
  }
}

void OnnxTrace::Add(const Var<float>& z, const Var<float>& x, const Var<float>& y) {
  Elementwise("Add", z, x, y);
}

void OnnxTrace::Subtract(const Var<float>& z, const Var<float>& x, const Var<float>& y) {
  Elementwise("Sub", z, x, y);
}

void OnnxTrace::Multiply(const Var<float>& z, const Var<float>& x, const Var<float>& y) {
  Elementwise("Mul", z, x, y);
}

// s has one column, which ONNX repeats.
void OnnxTrace::ScaleRows(const Var<float>& y, const Var<float>& x, const Var<float>& s) {
  Elementwise("Mul", y, x, s);
}

void OnnxTrace::Scale(const Var<float>& y, const Var<float>& x, float factor) {
  if (!IsFolded(y, {x})) {
    matrices_.Set(y, graph_.AddNode("Mul", {matrices_.Read(x), graph_.AddFloat(factor)}));
  }
}

void OnnxTrace::AddBias(const Var<float>& y, const Var<float>& x, const Var<float>& bias) {
  WithRow("Add", y, x, bias);
}

// The experts as [batch, experts, width] times the gate as [batch, experts, 1], summed up.
void OnnxTrace::MixBlocks(const Var<float>& y, std::span<const Var<float>> parts,
                          const Var<float>& gate) {
  std::vector<Value> sides;
  for (const Var<float>& part : parts) {
    sides.push_back(matrices_.Read(part));
  }
  const OnnxAttribute side_by_side[] = {Axis(1)};
  const Value all = sides.size() == 1 ? sides[0] : graph_.AddNode("Concat", sides, side_by_side);
  const Value blocks = graph_.AddNode("Reshape", {all, graph_.AddInts({-1, gate.cols, y.cols})});
  const Value weights =
      graph_.AddNode("Reshape", {matrices_.Read(gate), graph_.AddInts({-1, gate.cols, 1})});
  matrices_.Set(y, SumOver(graph_.AddNode("Mul", {blocks, weights}), 1, false));
}

void OnnxTrace::PlaceColumns(const Var<float>& place, const Var<float>& x) {
  matrices_.Place(place, x);
}

void OnnxTrace::ConcatRows(const Var<float>& y, std::span<const Var<float>>) {
  Fail("rows of several scenes in one pass have no translation (" + std::to_string(y.rows) +
       " rows)");
}

void OnnxTrace::GatherRows(const Var<float>& y, const Var<float>& x, const uint32_t* rows) {
  const Value owners = segments_.FindOwners(rows);
  if (owners.empty()) {
    return Fail("rows are picked by a list that nothing is known of");
  }
  matrices_.Set(y, graph_.AddNode("Gather", {matrices_.Read(x), owners}, {Axis(0)}));
}

void OnnxTrace::RepeatRow(const Var<float>& y, const Var<float>& x) {
  const Value shape = graph_.AddNode("Concat", {batch_, graph_.AddInts({x.cols})}, {Axis(0)});
  matrices_.Set(y, graph_.AddNode("Expand", {matrices_.Read(x), shape}));
}

void OnnxTrace::RowDots(const Var<float>& z, const Var<float>& x, const Var<float>& y,
                        float factor) {
  const Value product = graph_.AddNode("Mul", {matrices_.Read(x), matrices_.Read(y)});
  matrices_.Set(z, graph_.AddNode("Mul", {SumOver(product, 1, true), graph_.AddFloat(factor)}));
}

// Fields as [batch, fields, dim]: each times the sum of those before it, summed up.
void OnnxTrace::PairProducts(const Var<float>& y, const Var<float>& x,
                             std::span<const uint32_t> begins, uint32_t dim) {
  std::vector<Value> fields;
  for (const uint32_t begin : begins) {
    fields.push_back(matrices_.ReadColumns(x, begin, dim));
  }
  const OnnxAttribute side_by_side[] = {Axis(1)};
  const auto count = static_cast<int64_t>(begins.size());
  const Value stack = graph_.AddNode("Reshape", {graph_.AddNode("Concat", fields, side_by_side),
                                                 graph_.AddInts({-1, count, dim})});
  const Value axis = graph_.AddNode("Squeeze", {graph_.AddInts({1})});
  const Value before =
      graph_.AddNode("CumSum", {stack, axis}, {{.name = "exclusive", .number = 1}});
  matrices_.Set(y, SumOver(graph_.AddNode("Mul", {before, stack}), 1, false));
}

void OnnxTrace::SumColumns(const Var<float>& y, const Var<float>& x) {
  if (!IsFolded(y, {x})) {
    matrices_.Set(y, SumOver(matrices_.Read(x), 1, true));
  }
}

void OnnxTrace::ScaleBlocks(const Var<float>& y, const Var<float>& weight, const Var<float>& scale,
                            uint32_t) {
  if (!IsFolded(y, {weight, scale})) {
    Fail("weights that depend on the sample have no translation");
  }
}

void OnnxTrace::SegmentSoftmax(const Var<float>& y, const Var<float>& x, const Segments& segments) {
  const SegmentValues known = segments_.Find(segments);
  if (known.owners.empty()) {
    return Fail("a softmax runs over segments that nothing is known of");
  }
  matrices_.Set(y, segments_.Softmax(matrices_.Read(x), known));
}

void OnnxTrace::SegmentSum(const Var<float>& y, const Var<float>& x, const Var<float>& weight,
                           const Segments& segments) {
  const SegmentValues known = segments_.Find(segments);
  if (known.owners.empty()) {
    return Fail("a sum runs over segments that nothing is known of");
  }
  const Value weighted = graph_.AddNode("Mul", {matrices_.Read(x), matrices_.Read(weight)});
  matrices_.Set(y, segments_.Sum(weighted, x.cols, known));
}

void OnnxTrace::SegmentOfEach(const uint32_t* owner, const Segments& segments) {
  segments_.SetOwners(owner, segments);
}

void OnnxTrace::CutSegments(const Segments& elements_by_segment, const Segments& segments_by_row,
                            const Segments& rows, uint32_t short_length, uint32_t long_length) {
  if (segments_.Find(rows).owners.empty()) {
    return Fail("sequences are cut that nothing is known of");
  }
  segments_.Cut(elements_by_segment, segments_by_row, rows, short_length, long_length);
}

void OnnxTrace::FunnelLogit(const Var<float>& y, std::span<const FunnelStep> steps,
                            std::span<const Var<float>> logits) {
  const FunnelNodes funnel(graph_, matrices_, logits);
  matrices_.Set(y, funnel.LogRatio(funnel.Reach(steps, FunnelStep::kEvent),
                                   funnel.Reach(steps, FunnelStep::kEnd)));
}

void OnnxTrace::FunnelConditionalLogit(const Var<float>& y, std::span<const FunnelStep> steps,
                                       std::span<const FunnelStep> missed,
                                       std::span<const Var<float>> logits) {
  const FunnelNodes funnel(graph_, matrices_, logits);
  matrices_.Set(y, funnel.LogRatio(funnel.Reach(steps, FunnelStep::kEvent),
                                   funnel.Reach(missed, FunnelStep::kEvent)));
}

void OnnxTrace::FakeNegativeLogit(const Var<float>& y, const Var<float>& x) {
  matrices_.Set(y, FakeNegativeNodes(graph_, matrices_.Read(x)));
}

}  // namespace antiphon
