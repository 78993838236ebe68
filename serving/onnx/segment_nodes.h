// SegmentNodes: sequences of any length in an ONNX graph.
//
// Segments of a pass are offsets into its elements; a graph has, for every element, the number of
// the segment that it is in. Nothing is padded. Owned by one thread.
#pragma once

#include <cstdint>
#include <map>

#include "models/tape/segment_ops.h"
#include "serving/onnx/onnx_graph.h"

namespace antiphon {

// Int64 values: for each element its segment, ascending, and how many segments there are (one
// element).
struct SegmentValues {
  OnnxGraph::Value owners;
  OnnxGraph::Value count;
};

class SegmentNodes {
 public:
  explicit SegmentNodes(OnnxGraph& graph) : graph_(graph) {}

  // What stands for segments whose offsets lie there, and for a list of the owner of each element.
  void Set(const Segments& segments, SegmentValues values) { segments_[segments.offsets] = values; }
  void SetOwners(const uint32_t* owners, const Segments& segments) {
    owners_[owners] = Find(segments).owners;
  }
  // Empty values for what was never set.
  SegmentValues Find(const Segments& segments) const;
  OnnxGraph::Value FindOwners(const uint32_t* owners) const;

  // CutSegments of models/sequence_attention.h.
  void Cut(const Segments& elements_by_segment, const Segments& segments_by_row,
           const Segments& rows, uint32_t short_length, uint32_t long_length);

  // `x` is [elements, 1].
  OnnxGraph::Value Softmax(const OnnxGraph::Value& x, const SegmentValues& segments);
  // `weighted` is [elements, cols].
  OnnxGraph::Value Sum(const OnnxGraph::Value& weighted, int64_t cols,
                       const SegmentValues& segments);

 private:
  // One row a segment, `fill` where it has no element, else what `reduction` makes of the updates.
  OnnxGraph::Value Scatter(const OnnxGraph::Value& updates, const OnnxGraph::Value& fill,
                           int64_t cols, const SegmentValues& segments,
                           const std::string& reduction);
  // The same of whole numbers, one a segment.
  OnnxGraph::Value ScatterInts(const OnnxGraph::Value& updates, const SegmentValues& segments,
                               const std::string& reduction);
  OnnxGraph::Value Column(const OnnxGraph::Value& owners);
  // Sums of what stands before each element.
  OnnxGraph::Value SumsBefore(const OnnxGraph::Value& x);

  OnnxGraph& graph_;
  std::map<const uint32_t*, SegmentValues> segments_;
  std::map<const uint32_t*, OnnxGraph::Value> owners_;
};

}  // namespace antiphon
