// OnnxGraph: an ONNX graph while it is being written.
//
// A value is the name of a tensor. Equal nodes and equal constants are made once: what several
// passes have in common is in the graph a single time. Owned by one thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "proto/onnx.pb.h"

namespace antiphon {

// Nodes are of this version of the operators, which ONNX Runtime knows since 1.14 (2023).
inline constexpr int64_t kOnnxOpset = 18;

struct OnnxAttribute {
  std::string name;
  int64_t number = 0;
  float real = 0;
  std::string text = {};
  enum class Kind { kInt, kFloat, kString } kind = Kind::kInt;
};

using OnnxType = onnx::TensorProto::DataType;

// A dimension is a number or, when it is free, a name.
struct OnnxShape {
  std::vector<std::string> dims;
};

class OnnxGraph {
 public:
  using Value = std::string;

  Value AddInput(const std::string& name, OnnxType type, const OnnxShape& shape);
  // `value` as the model's output `name`.
  void AddOutput(const std::string& name, const Value& value, OnnxType type,
                 const OnnxShape& shape);

  // The only output of a node; an empty input is one that is left out.
  Value AddNode(const std::string& op, std::span<const Value> inputs,
                std::span<const OnnxAttribute> attributes = {});
  Value AddNode(const std::string& op, std::initializer_list<Value> inputs,
                std::initializer_list<OnnxAttribute> attributes = {}) {
    return AddNode(op, {inputs.begin(), inputs.size()}, {attributes.begin(), attributes.size()});
  }

  // `name` is a wish: a constant that is there already keeps its own.
  Value AddFloats(std::span<const float> values, std::span<const int64_t> dims,
                  const std::string& name);
  Value AddFloat(float value);                     // a scalar
  Value AddDouble(double value);                   // a scalar
  Value AddInts(std::span<const int64_t> values);  // one dimension
  Value AddInts(std::initializer_list<int64_t> values) {
    return AddInts({values.begin(), values.size()});
  }

  // The model that is written so far.
  onnx::ModelProto Build(const std::string& name, int64_t version) const;

 private:
  Value AddConstant(onnx::TensorProto tensor, const std::string& name);
  // `wish`, or that with a number behind it.
  std::string FreeName(const std::string& wish);

  onnx::GraphProto graph_;
  std::unordered_map<std::string, Value> made_;  // by the node or constant without its names
  std::unordered_map<std::string, uint64_t> uses_of_name_;
};

}  // namespace antiphon
