#include "serving/onnx/onnx_graph.h"

#include <algorithm>
#include <cctype>
#include <utility>

namespace antiphon {
namespace {

constexpr int64_t kIrVersion = 8;

void Describe(const std::string& name, OnnxType type, const OnnxShape& shape,
              onnx::ValueInfoProto* info) {
  info->set_name(name);
  onnx::TypeProto::Tensor& tensor = *info->mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(type);
  tensor.mutable_shape();
  for (const std::string& dim : shape.dims) {
    onnx::TensorShapeProto::Dimension& added = *tensor.mutable_shape()->add_dim();
    if (std::isdigit(static_cast<unsigned char>(dim[0])) != 0) {
      added.set_dim_value(std::stoll(dim));
    } else {
      added.set_dim_param(dim);
    }
  }
}

template <typename T>
onnx::TensorProto MakeTensor(OnnxType type, std::span<const T> values,
                             std::span<const int64_t> dims) {
  onnx::TensorProto tensor;
  tensor.mutable_dims()->Add(dims.begin(), dims.end());
  tensor.set_data_type(type);
  tensor.set_raw_data(values.data(), values.size_bytes());
  return tensor;
}

void SetAttribute(const OnnxAttribute& from, onnx::AttributeProto* to) {
  to->set_name(from.name);
  switch (from.kind) {
    case OnnxAttribute::Kind::kInt:
      to->set_i(from.number);
      to->set_type(onnx::AttributeProto::INT);
      return;
    case OnnxAttribute::Kind::kFloat:
      to->set_f(from.real);
      to->set_type(onnx::AttributeProto::FLOAT);
      return;
    case OnnxAttribute::Kind::kString:
      to->set_s(from.text);
      to->set_type(onnx::AttributeProto::STRING);
      return;
  }
}

}  // namespace

std::string OnnxGraph::FreeName(const std::string& wish) {
  const uint64_t uses = uses_of_name_[wish]++;
  return uses == 0 ? wish : FreeName(wish + "_" + std::to_string(uses));
}

OnnxGraph::Value OnnxGraph::AddInput(const std::string& name, OnnxType type,
                                     const OnnxShape& shape) {
  Describe(FreeName(name), type, shape, graph_.add_input());
  return name;
}

void OnnxGraph::AddOutput(const std::string& name, const Value& value, OnnxType type,
                          const OnnxShape& shape) {
  onnx::NodeProto& node = *graph_.add_node();
  node.add_input(value);
  node.add_output(FreeName(name));
  node.set_op_type("Identity");
  Describe(name, type, shape, graph_.add_output());
}

OnnxGraph::Value OnnxGraph::AddNode(const std::string& op, std::span<const Value> inputs,
                                    std::span<const OnnxAttribute> attributes) {
  onnx::NodeProto node;
  node.mutable_input()->Add(inputs.begin(), inputs.end());
  node.set_op_type(op);
  for (const OnnxAttribute& attribute : attributes) {
    SetAttribute(attribute, node.add_attribute());
  }
  const auto [found, is_new] = made_.emplace("node" + node.SerializeAsString(), Value());
  if (is_new) {
    found->second = FreeName(op);
    node.set_name(found->second);
    node.add_output(found->second);
    *graph_.add_node() = std::move(node);
  }
  return found->second;
}

OnnxGraph::Value OnnxGraph::AddConstant(onnx::TensorProto tensor, const std::string& name) {
  const auto [found, is_new] = made_.emplace("tensor" + tensor.SerializeAsString(), Value());
  if (is_new) {
    found->second = FreeName(name);
    tensor.set_name(found->second);
    *graph_.add_initializer() = std::move(tensor);
  }
  return found->second;
}

OnnxGraph::Value OnnxGraph::AddFloats(std::span<const float> values, std::span<const int64_t> dims,
                                      const std::string& name) {
  return AddConstant(MakeTensor(onnx::TensorProto::FLOAT, values, dims), name);
}

OnnxGraph::Value OnnxGraph::AddFloat(float value) {
  return AddConstant(MakeTensor<float>(onnx::TensorProto::FLOAT, std::span(&value, 1), {}),
                     "number");
}

OnnxGraph::Value OnnxGraph::AddDouble(double value) {
  return AddConstant(MakeTensor<double>(onnx::TensorProto::DOUBLE, std::span(&value, 1), {}),
                     "number");
}

OnnxGraph::Value OnnxGraph::AddInts(std::span<const int64_t> values) {
  const int64_t dims[] = {static_cast<int64_t>(values.size())};
  return AddConstant(MakeTensor<int64_t>(onnx::TensorProto::INT64, values, dims), "whole");
}

onnx::ModelProto OnnxGraph::Build(const std::string& name, int64_t version) const {
  onnx::ModelProto model;
  model.set_ir_version(kIrVersion);
  model.set_producer_name("antiphon");
  model.set_model_version(version);
  model.add_opset_import()->set_version(kOnnxOpset);
  *model.mutable_graph() = graph_;
  model.mutable_graph()->set_name(name);
  return model;
}

}  // namespace antiphon
