// Computes an ONNX graph as the specification of its operators says: slowly, in doubles, and
// nothing but the operators that the exporter uses. It shares no code with the exporter.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "proto/onnx.pb.h"

namespace antiphon {

struct GraphTensor {
  std::vector<int64_t> dims;
  std::vector<double> values;
  bool is_whole = false;  // int64 or bool

  int64_t size() const {
    int64_t size = 1;
    for (const int64_t dim : dims) {
      size *= dim;
    }
    return size;
  }
};

using GraphTensors = std::map<std::string, GraphTensor>;

// All values by name: inputs, constants, and what every node makes. A node that breaks a rule of
// its operator fails the test.
GraphTensors EvaluateGraph(const onnx::ModelProto& model, const GraphTensors& inputs);

}  // namespace antiphon
