#include "serving/onnx/segment_nodes.h"

#include <limits>

namespace antiphon {
namespace {

using Value = OnnxGraph::Value;

OnnxAttribute Axis(int64_t axis) {
  return {.name = "axis", .number = axis};
}

}  // namespace

SegmentValues SegmentNodes::Find(const Segments& segments) const {
  const auto found = segments_.find(segments.offsets);
  return found == segments_.end() ? SegmentValues() : found->second;
}

Value SegmentNodes::FindOwners(const uint32_t* owners) const {
  const auto found = owners_.find(owners);
  return found == owners_.end() ? Value() : found->second;
}

Value SegmentNodes::Column(const Value& owners) {
  return graph_.AddNode("Unsqueeze", {owners, graph_.AddInts({1})});
}

Value SegmentNodes::SumsBefore(const Value& x) {
  const int64_t axis = 0;
  return graph_.AddNode("CumSum", {x, graph_.AddNode("Squeeze", {graph_.AddInts({axis})})},
                        {{.name = "exclusive", .number = 1}});
}

Value SegmentNodes::Scatter(const Value& updates, const Value& fill, int64_t cols,
                            const SegmentValues& segments, const std::string& reduction) {
  const Value shape = graph_.AddNode("Concat", {segments.count, graph_.AddInts({cols})}, {Axis(0)});
  const Value empty = graph_.AddNode("Expand", {fill, shape});
  return graph_.AddNode(
      "ScatterND", {empty, Column(segments.owners), updates},
      {{.name = "reduction", .text = reduction, .kind = OnnxAttribute::Kind::kString}});
}

Value SegmentNodes::ScatterInts(const Value& updates, const SegmentValues& segments,
                                const std::string& reduction) {
  const Value empty = graph_.AddNode("Expand", {graph_.AddInts({0}), segments.count});
  return graph_.AddNode(
      "ScatterND", {empty, Column(segments.owners), updates},
      {{.name = "reduction", .text = reduction, .kind = OnnxAttribute::Kind::kString}});
}

// The highest of a segment is taken from all of it, as the trainer does, so that no exp overflows.
Value SegmentNodes::Softmax(const Value& x, const SegmentValues& segments) {
  const auto of_each = [&](const Value& by_segment) {
    return graph_.AddNode("Gather", {by_segment, segments.owners}, {Axis(0)});
  };
  const Value lowest = graph_.AddFloat(std::numeric_limits<float>::lowest());
  const Value highest = Scatter(x, lowest, 1, segments, "max");
  const Value powers = graph_.AddNode("Exp", {graph_.AddNode("Sub", {x, of_each(highest)})});
  const Value sums = Scatter(powers, graph_.AddFloat(0), 1, segments, "add");
  return graph_.AddNode("Div", {powers, of_each(sums)});
}

Value SegmentNodes::Sum(const Value& weighted, int64_t cols, const SegmentValues& segments) {
  return Scatter(weighted, graph_.AddFloat(0), cols, segments, "add");
}

// Element p, counted from the newest of its row, is in segment number `back` from the row's end:
// 0 while p < short, then 1 + (p - short) / long.
void SegmentNodes::Cut(const Segments& elements_by_segment, const Segments& segments_by_row,
                       const Segments& rows, uint32_t short_length, uint32_t long_length) {
  const SegmentValues of_row = Find(rows);
  const auto node = [this](const char* op, std::initializer_list<Value> inputs) {
    return graph_.AddNode(op, inputs);
  };
  const auto of_each = [&](const Value& by_row) {
    return graph_.AddNode("Gather", {by_row, of_row.owners}, {Axis(0)});
  };
  const Value zero = graph_.AddInts({0});
  const Value one = graph_.AddInts({1});
  const Value short_part = graph_.AddInts({short_length});
  const Value long_part = graph_.AddInts({long_length});

  const Value ones = node("Expand", {one, node("Shape", {of_row.owners})});
  const Value items = ScatterInts(ones, of_row, "add");
  const Value place = node("Sub", {SumsBefore(ones), of_each(SumsBefore(items))});
  const Value p = node("Sub", {node("Sub", {of_each(items), one}), place});
  const Value past = node("Div", {node("Sub", {p, short_part}), long_part});
  const Value back = node("Where", {node("Less", {p, short_part}), zero, node("Add", {past, one})});

  const Value last_of_rest = graph_.AddInts({int64_t{long_length} - 1 - int64_t{short_length}});
  const Value rest = node("Div", {node("Add", {items, last_of_rest}), long_part});
  const Value one_or_none = node("Min", {items, one});
  const Value segments =
      node("Where", {node("Greater", {items, short_part}), node("Add", {rest, one}), one_or_none});

  const Value end = node("Add", {SumsBefore(segments), segments});
  const Value segment_of_item = node("Sub", {of_each(node("Sub", {end, one})), back});
  const Value count =
      graph_.AddNode("ReduceSum", {segments, zero}, {{.name = "keepdims", .number = 1}});
  const SegmentValues by_segment = {.owners = segment_of_item, .count = count};
  Set(elements_by_segment, by_segment);
  // Every segment has an item, and all of its items say the same row.
  Set(segments_by_row,
      {.owners = ScatterInts(of_row.owners, by_segment, "max"), .count = of_row.count});
}

}  // namespace antiphon
