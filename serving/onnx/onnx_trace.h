// OnnxTrace: translates what a pass does, op by op, to nodes of an ONNX graph.
//
// What follows from weights alone is not translated but taken as it was computed. One trace hears
// one pass in which all rows are of one scene; passes for several scenes share a graph. Owned by
// one thread, together with the tape.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

#include "models/tape/op_trace.h"
#include "models/tape/segment_ops.h"
#include "serving/onnx/onnx_graph.h"
#include "serving/onnx/segment_nodes.h"
#include "serving/onnx/traced_matrices.h"

namespace antiphon {

class OnnxTrace final : public OpTrace<float> {
 public:
  // `batch` is the number of rows, int64 of one element.
  OnnxTrace(OnnxGraph& graph, OnnxGraph::Value batch)
      : graph_(graph), batch_(std::move(batch)), matrices_(graph), segments_(graph) {}

  TracedMatrices& matrices() { return matrices_; }
  SegmentNodes& segments() { return segments_; }
  // What could not be translated; the graph is then of no use.
  const Status& status() const { return matrices_.status().ok() ? status_ : matrices_.status(); }

  void StackedLinear(const Var<float>& y, const Var<float>& x, const Var<float>& weight,
                     const Var<float>& bias, uint32_t count, Activation activation) override;
  void LayerNorm(const Var<float>& y, const Var<float>& x, const Var<float>& gamma,
                 const Var<float>& beta, uint32_t count) override;
  void NormalizeColumns(const Var<float>& y, const Var<float>& x, const Var<float>& gamma,
                        const Var<float>& beta, const Moments<float>& moments) override;
  void Activate(const Var<float>& y, const Var<float>& x, Activation activation) override;
  void PRelu(const Var<float>& y, const Var<float>& x, const Var<float>& alpha) override;
  void Softmax(const Var<float>& y, const Var<float>& x) override;
  void Add(const Var<float>& z, const Var<float>& x, const Var<float>& y) override;
  void Subtract(const Var<float>& z, const Var<float>& x, const Var<float>& y) override;
  void Multiply(const Var<float>& z, const Var<float>& x, const Var<float>& y) override;
  void Scale(const Var<float>& y, const Var<float>& x, float factor) override;
  void AddBias(const Var<float>& y, const Var<float>& x, const Var<float>& bias) override;
  void ScaleRows(const Var<float>& y, const Var<float>& x, const Var<float>& s) override;
  void MixBlocks(const Var<float>& y, std::span<const Var<float>> parts,
                 const Var<float>& gate) override;
  void PlaceColumns(const Var<float>& place, const Var<float>& x) override;
  void ConcatRows(const Var<float>& y, std::span<const Var<float>> parts) override;
  void GatherRows(const Var<float>& y, const Var<float>& x, const uint32_t* rows) override;
  void RepeatRow(const Var<float>& y, const Var<float>& x) override;
  void RowDots(const Var<float>& z, const Var<float>& x, const Var<float>& y,
               float factor) override;
  void PairProducts(const Var<float>& y, const Var<float>& x, std::span<const uint32_t> begins,
                    uint32_t dim) override;
  void SumColumns(const Var<float>& y, const Var<float>& x) override;
  void ScaleBlocks(const Var<float>& y, const Var<float>& weight, const Var<float>& scale,
                   uint32_t n) override;
  void SegmentSoftmax(const Var<float>& y, const Var<float>& x, const Segments& segments) override;
  void SegmentSum(const Var<float>& y, const Var<float>& x, const Var<float>& weight,
                  const Segments& segments) override;
  void SegmentOfEach(const uint32_t* owner, const Segments& segments) override;
  void CutSegments(const Segments& elements_by_segment, const Segments& segments_by_row,
                   const Segments& rows, uint32_t short_length, uint32_t long_length) override;
  void FunnelLogit(const Var<float>& y, std::span<const FunnelStep> steps,
                   std::span<const Var<float>> logits) override;
  void FunnelConditionalLogit(const Var<float>& y, std::span<const FunnelStep> steps,
                              std::span<const FunnelStep> missed,
                              std::span<const Var<float>> logits) override;
  void FakeNegativeLogit(const Var<float>& y, const Var<float>& x) override;

 private:
  using Value = OnnxGraph::Value;
  using As = TracedMatrices::As;

  // True when `y` follows from constants alone, and is one now.
  bool IsFolded(const Var<float>& y, std::initializer_list<Var<float>> arguments);
  void Elementwise(const std::string& op, const Var<float>& z, const Var<float>& x,
                   const Var<float>& y);
  // The same with a row that every row of x meets.
  void WithRow(const std::string& op, const Var<float>& y, const Var<float>& x,
               const Var<float>& row);
  Value Activated(const Value& x, Activation activation);
  Value SumOver(const Value& x, int64_t axis, bool keep);
  void Fail(const std::string& what);

  OnnxGraph& graph_;
  const OnnxGraph::Value batch_;
  TracedMatrices matrices_;
  SegmentNodes segments_;
  Status status_;
};

}  // namespace antiphon
