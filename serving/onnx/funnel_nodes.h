// What a funnel predicts, in ONNX: sums of products of probabilities, in doubles, which hold every
// product of up to 64 of them that matters (models/tape/funnel_op.h works with logarithms, which
// ONNX has no safe sum of).
#pragma once

#include <cstdint>
#include <span>

#include "models/tape/funnel_op.h"
#include "serving/onnx/onnx_graph.h"
#include "serving/onnx/traced_matrices.h"

namespace antiphon {

class FunnelNodes {
 public:
  // What is given outlives it.
  FunnelNodes(OnnxGraph& graph, TracedMatrices& matrices, std::span<const Var<float>> logits)
      : graph_(graph), matrices_(matrices), logits_(logits) {}

  // The probability to get from the step that is decided first to `certain`, kEvent or kEnd.
  OnnxGraph::Value Reach(std::span<const FunnelStep> steps, int32_t certain) const;
  // log p - log q, a float.
  OnnxGraph::Value LogRatio(const OnnxGraph::Value& p, const OnnxGraph::Value& q) const;

 private:
  OnnxGraph& graph_;
  TracedMatrices& matrices_;
  std::span<const Var<float>> logits_;
};

// PredictedLogitOf (models/task_loss.h) of a tower that learns from fake negatives.
OnnxGraph::Value FakeNegativeNodes(OnnxGraph& graph, const OnnxGraph::Value& output);

}  // namespace antiphon
