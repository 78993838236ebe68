#include "tests/serving/onnx/graph_evaluator.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <numeric>

#include <gtest/gtest.h>

namespace antiphon {
namespace {

using Arguments = std::vector<const GraphTensor*>;
using Dims = std::vector<int64_t>;

GraphTensor Constant(const onnx::TensorProto& proto) {
  GraphTensor tensor;
  tensor.dims.assign(proto.dims().begin(), proto.dims().end());
  const auto read = [&]<typename T>(T number) {
    for (size_t at = 0; at < proto.raw_data().size(); at += sizeof number) {
      std::memcpy(&number, proto.raw_data().data() + at, sizeof number);
      tensor.values.push_back(static_cast<double>(number));
    }
  };
  switch (proto.data_type()) {
    case onnx::TensorProto::FLOAT:
      read(float{});
      break;
    case onnx::TensorProto::DOUBLE:
      read(double{});
      break;
    case onnx::TensorProto::INT64:
      tensor.is_whole = true;
      read(int64_t{});
      break;
    default:
      ADD_FAILURE() << proto.name() << " has type " << proto.data_type();
  }
  EXPECT_EQ(static_cast<int64_t>(tensor.values.size()), tensor.size()) << proto.name();
  return tensor;
}

int64_t Attribute(const onnx::NodeProto& node, const std::string& name, int64_t fallback) {
  for (const onnx::AttributeProto& attribute : node.attribute()) {
    if (attribute.name() == name) {
      return attribute.i();
    }
  }
  return fallback;
}

std::string TextAttribute(const onnx::NodeProto& node, const std::string& name) {
  for (const onnx::AttributeProto& attribute : node.attribute()) {
    if (attribute.name() == name) {
      return attribute.s();
    }
  }
  return "";
}

GraphTensor Make(Dims dims, bool is_whole) {
  GraphTensor tensor = {.dims = std::move(dims), .values = {}, .is_whole = is_whole};
  tensor.values.resize(static_cast<size_t>(tensor.size()));
  return tensor;
}

// The shape that both stretch to, as numpy has it.
Dims BroadcastDims(const Dims& a, const Dims& b) {
  Dims dims(std::max(a.size(), b.size()), 1);
  for (size_t i = 0; i < dims.size(); ++i) {
    const int64_t of_a = i < a.size() ? a[a.size() - 1 - i] : 1;
    const int64_t of_b = i < b.size() ? b[b.size() - 1 - i] : 1;
    EXPECT_TRUE(of_a == of_b || of_a == 1 || of_b == 1);
    dims[dims.size() - 1 - i] = of_a == 1 ? of_b : of_a;
  }
  return dims;
}

GraphTensor Stretch(const GraphTensor& x, const Dims& dims) {
  GraphTensor y = Make(dims, x.is_whole);
  for (int64_t i = 0; i < y.size(); ++i) {
    int64_t rest = i;
    int64_t from = 0;
    int64_t step = 1;
    for (size_t d = 0; d < dims.size(); ++d) {
      const int64_t place = rest % dims[dims.size() - 1 - d];
      rest /= dims[dims.size() - 1 - d];
      if (d < x.dims.size()) {
        const int64_t size = x.dims[x.dims.size() - 1 - d];
        from += (size == 1 ? 0 : place) * step;
        step *= size;
      }
    }
    y.values[static_cast<size_t>(i)] = x.values[static_cast<size_t>(from)];
  }
  return y;
}

GraphTensor Map(const GraphTensor& x, const std::function<double(double)>& f) {
  GraphTensor y = x;
  std::ranges::transform(x.values, y.values.begin(), f);
  return y;
}

GraphTensor Zip(const GraphTensor& a, const GraphTensor& b,
                const std::function<double(double, double)>& f) {
  EXPECT_EQ(a.is_whole, b.is_whole);
  const Dims dims = BroadcastDims(a.dims, b.dims);
  GraphTensor y = Stretch(a, dims);
  const GraphTensor other = Stretch(b, dims);
  std::transform(y.values.begin(), y.values.end(), other.values.begin(), y.values.begin(), f);
  return y;
}

// A tensor as [before, axis, after].
struct AxisView {
  int64_t before = 1;
  int64_t axis = 1;
  int64_t after = 1;

  AxisView(const Dims& dims, int64_t at) : axis(dims[static_cast<size_t>(at)]) {
    for (size_t i = 0; i < dims.size(); ++i) {
      (static_cast<int64_t>(i) < at ? before : after) *=
          static_cast<int64_t>(i) == at ? 1 : dims[i];
    }
  }
  size_t at(int64_t b, int64_t i, int64_t a) const {
    return static_cast<size_t>((b * axis + i) * after + a);
  }
};

// Picks [begin, begin + count) or, with `list`, those of the axis.
GraphTensor Pick(const GraphTensor& x, int64_t axis, const std::vector<int64_t>& list) {
  Dims dims = x.dims;
  dims[static_cast<size_t>(axis)] = static_cast<int64_t>(list.size());
  GraphTensor y = Make(dims, x.is_whole);
  const AxisView from(x.dims, axis);
  const AxisView to(dims, axis);
  for (int64_t b = 0; b < to.before; ++b) {
    for (int64_t i = 0; i < to.axis; ++i) {
      EXPECT_TRUE(list[static_cast<size_t>(i)] >= 0 && list[static_cast<size_t>(i)] < from.axis);
      for (int64_t a = 0; a < to.after; ++a) {
        y.values[to.at(b, i, a)] = x.values[from.at(b, list[static_cast<size_t>(i)], a)];
      }
    }
  }
  return y;
}

GraphTensor Slice(const Arguments& in) {
  std::vector<int64_t> list;
  for (auto i = static_cast<int64_t>(in[1]->values[0]); i < in[2]->values[0]; ++i) {
    list.push_back(i);
  }
  return Pick(*in[0], static_cast<int64_t>(in[3]->values[0]), list);
}

GraphTensor Gather(const onnx::NodeProto& node, const Arguments& in) {
  std::vector<int64_t> list(in[1]->values.begin(), in[1]->values.end());
  EXPECT_EQ(in[1]->dims.size(), 1U);
  return Pick(*in[0], Attribute(node, "axis", 0), list);
}

GraphTensor Concat(const onnx::NodeProto& node, const Arguments& in) {
  const int64_t axis = Attribute(node, "axis", -1);
  Dims dims = in[0]->dims;
  for (size_t i = 1; i < in.size(); ++i) {
    dims[static_cast<size_t>(axis)] += in[i]->dims[static_cast<size_t>(axis)];
  }
  GraphTensor y = Make(dims, in[0]->is_whole);
  const AxisView to(dims, axis);
  int64_t begin = 0;
  for (const GraphTensor* x : in) {
    const AxisView from(x->dims, axis);
    EXPECT_TRUE(from.before == to.before && from.after == to.after);
    for (int64_t b = 0; b < from.before; ++b) {
      for (int64_t i = 0; i < from.axis; ++i) {
        for (int64_t a = 0; a < from.after; ++a) {
          y.values[to.at(b, begin + i, a)] = x->values[from.at(b, i, a)];
        }
      }
    }
    begin += from.axis;
  }
  return y;
}

GraphTensor Gemm(const onnx::NodeProto& node, const Arguments& in) {
  EXPECT_EQ(Attribute(node, "transB", 0), 1);
  const GraphTensor& x = *in[0];
  const GraphTensor& w = *in[1];
  EXPECT_EQ(x.dims.at(1), w.dims.at(1));
  GraphTensor y = Make({x.dims[0], w.dims[0]}, false);
  for (int64_t r = 0; r < y.dims[0]; ++r) {
    for (int64_t c = 0; c < y.dims[1]; ++c) {
      double sum = 0;
      for (int64_t k = 0; k < x.dims[1]; ++k) {
        sum += x.values[static_cast<size_t>(r * x.dims[1] + k)] *
               w.values[static_cast<size_t>(c * x.dims[1] + k)];
      }
      y.values[static_cast<size_t>(r * y.dims[1] + c)] = sum;
    }
  }
  return in.size() < 3 ? y : Zip(y, *in[2], std::plus<>());
}

// f(values of an axis) in place, for every place before and after it.
GraphTensor AlongAxis(const GraphTensor& x, int64_t axis,
                      const std::function<void(std::vector<double>&)>& f) {
  GraphTensor y = x;
  const AxisView view(x.dims, axis);
  std::vector<double> line(static_cast<size_t>(view.axis));
  for (int64_t b = 0; b < view.before; ++b) {
    for (int64_t a = 0; a < view.after; ++a) {
      for (int64_t i = 0; i < view.axis; ++i) {
        line[static_cast<size_t>(i)] = x.values[view.at(b, i, a)];
      }
      f(line);
      for (int64_t i = 0; i < view.axis; ++i) {
        y.values[view.at(b, i, a)] = line[static_cast<size_t>(i)];
      }
    }
  }
  return y;
}

GraphTensor Softmax(const onnx::NodeProto& node, const Arguments& in) {
  return AlongAxis(*in[0], Attribute(node, "axis", -1), [](std::vector<double>& line) {
    const double highest = *std::ranges::max_element(line);
    double sum = 0;
    for (double& value : line) {
      sum += value = std::exp(value - highest);
    }
    for (double& value : line) {
      value /= sum;
    }
  });
}

GraphTensor LayerNormalization(const onnx::NodeProto& node, const Arguments& in) {
  const GraphTensor unit =
      AlongAxis(*in[0], Attribute(node, "axis", -1), [](std::vector<double>& line) {
        const auto count = static_cast<double>(line.size());
        const double mean = std::accumulate(line.begin(), line.end(), 0.0) / count;
        double variance = 0;
        for (const double value : line) {
          variance += (value - mean) * (value - mean) / count;
        }
        for (double& value : line) {
          value = (value - mean) / std::sqrt(variance + 1e-5);
        }
      });
  return Zip(Zip(unit, *in[1], std::multiplies<>()), *in[2], std::plus<>());
}

GraphTensor CumSum(const onnx::NodeProto& node, const Arguments& in) {
  EXPECT_TRUE(in[1]->dims.empty() && Attribute(node, "exclusive", 0) == 1);
  return AlongAxis(*in[0], static_cast<int64_t>(in[1]->values[0]), [](std::vector<double>& line) {
    double sum = 0;
    for (double& value : line) {
      const double before = sum;
      sum += value;
      value = before;
    }
  });
}

GraphTensor ReduceSum(const onnx::NodeProto& node, const Arguments& in) {
  const auto axis = static_cast<int64_t>(in[1]->values.at(0));
  const AxisView view(in[0]->dims, axis);
  Dims dims = in[0]->dims;
  if (Attribute(node, "keepdims", 1) == 1) {
    dims[static_cast<size_t>(axis)] = 1;
  } else {
    dims.erase(dims.begin() + axis);
  }
  GraphTensor y = Make(dims, in[0]->is_whole);
  for (int64_t b = 0; b < view.before; ++b) {
    for (int64_t i = 0; i < view.axis; ++i) {
      for (int64_t a = 0; a < view.after; ++a) {
        y.values[static_cast<size_t>(b * view.after + a)] += in[0]->values[view.at(b, i, a)];
      }
    }
  }
  return y;
}

GraphTensor ScatterNd(const onnx::NodeProto& node, const Arguments& in) {
  GraphTensor y = *in[0];
  const int64_t count = in[1]->dims.at(0);
  EXPECT_EQ(in[1]->dims.at(1), 1);
  const int64_t width = y.dims[0] == 0 ? 0 : y.size() / y.dims[0];
  EXPECT_EQ(in[2]->dims.at(0), count);
  const bool adds = TextAttribute(node, "reduction") == "add";
  EXPECT_TRUE(adds || TextAttribute(node, "reduction") == "max");
  for (int64_t i = 0; i < count; ++i) {
    const auto row = static_cast<int64_t>(in[1]->values[static_cast<size_t>(i)]);
    EXPECT_TRUE(row >= 0 && row < y.dims[0]);
    for (int64_t c = 0; c < width; ++c) {
      double& to = y.values[static_cast<size_t>(row * width + c)];
      const double value = in[2]->values[static_cast<size_t>(i * width + c)];
      to = adds ? to + value : std::max(to, value);
    }
  }
  return y;
}

GraphTensor Reshape(const Arguments& in) {
  GraphTensor y = *in[0];
  y.dims.assign(in[1]->values.begin(), in[1]->values.end());
  const auto open = std::ranges::find(y.dims, -1);
  if (open != y.dims.end()) {
    *open = 1;
    *open = in[0]->size() / y.size();
  }
  EXPECT_EQ(y.size(), in[0]->size());
  return y;
}

GraphTensor Shape(const onnx::NodeProto& node, const Arguments& in) {
  const auto all = static_cast<int64_t>(in[0]->dims.size());
  const int64_t begin = Attribute(node, "start", 0);
  const int64_t end = Attribute(node, "end", all);
  GraphTensor y = Make({end - begin}, true);
  for (int64_t i = begin; i < end; ++i) {
    y.values[static_cast<size_t>(i - begin)] =
        static_cast<double>(in[0]->dims[static_cast<size_t>(i)]);
  }
  return y;
}

GraphTensor Where(const Arguments& in) {
  EXPECT_EQ(in[1]->is_whole, in[2]->is_whole);
  const Dims dims = BroadcastDims(in[0]->dims, BroadcastDims(in[1]->dims, in[2]->dims));
  const GraphTensor condition = Stretch(*in[0], dims);
  GraphTensor y = Stretch(*in[1], dims);
  const GraphTensor other = Stretch(*in[2], dims);
  for (size_t i = 0; i < y.values.size(); ++i) {
    y.values[i] = condition.values[i] != 0 ? y.values[i] : other.values[i];
  }
  return y;
}

GraphTensor Unsqueeze(const Arguments& in) {
  GraphTensor y = *in[0];
  y.dims.insert(y.dims.begin() + static_cast<int64_t>(in[1]->values.at(0)), 1);
  return y;
}

GraphTensor Expand(const Arguments& in) {
  return Stretch(*in[0], BroadcastDims(in[0]->dims, {in[1]->values.begin(), in[1]->values.end()}));
}

GraphTensor Compared(GraphTensor x) {
  x.is_whole = true;
  return x;
}

GraphTensor Divide(const Arguments& in) {
  const bool is_whole = in[0]->is_whole;
  return Zip(*in[0], *in[1],
             [is_whole](double a, double b) { return is_whole ? std::trunc(a / b) : a / b; });
}

GraphTensor Cast(const onnx::NodeProto& node, const Arguments& in) {
  GraphTensor y = *in[0];
  y.is_whole = Attribute(node, "to", 0) == onnx::TensorProto::INT64;
  return y;
}

GraphTensor PRelu(const Arguments& in) {
  return Zip(*in[0], *in[1], [](double x, double slope) { return x > 0 ? x : slope * x; });
}

// Operators of numbers one by one.
const std::map<std::string, std::function<double(double)>>& Unary() {
  static const auto& table = *new std::map<std::string, std::function<double(double)>>{
      {"Relu", [](double x) { return std::max(x, 0.0); }},
      {"Sigmoid", [](double x) { return 1 / (1 + std::exp(-x)); }},
      {"Tanh", [](double x) { return std::tanh(x); }},
      {"Exp", [](double x) { return std::exp(x); }},
      {"Log", [](double x) { return std::log(x); }},
      {"Neg", [](double x) { return -x; }},
      {"Identity", [](double x) { return x; }}};
  return table;
}

const std::map<std::string, std::function<double(double, double)>>& Binary() {
  static const auto& table = *new std::map<std::string, std::function<double(double, double)>>{
      {"Add", std::plus<>()},
      {"Sub", std::minus<>()},
      {"Mul", std::multiplies<>()},
      {"Max", [](double a, double b) { return std::max(a, b); }},
      {"Min", [](double a, double b) { return std::min(a, b); }},
      {"Equal", std::equal_to<>()},
      {"Less", std::less<>()},
      {"Greater", std::greater<>()}};
  return table;
}

GraphTensor Compute(const onnx::NodeProto& node, const Arguments& in) {
  const std::string& op = node.op_type();
  if (const auto unary = Unary().find(op); unary != Unary().end()) {
    return Map(*in[0], unary->second);
  }
  if (const auto binary = Binary().find(op); binary != Binary().end()) {
    const bool compares = op == "Equal" || op == "Less" || op == "Greater";
    GraphTensor y = Zip(*in[0], *in[1], binary->second);
    return compares ? Compared(std::move(y)) : y;
  }
  using Make2 = GraphTensor (*)(const onnx::NodeProto&, const Arguments&);
  using Make1 = GraphTensor (*)(const Arguments&);
  const std::map<std::string, Make2> with_attributes = {{"Gemm", Gemm},
                                                        {"Softmax", Softmax},
                                                        {"LayerNormalization", LayerNormalization},
                                                        {"Concat", Concat},
                                                        {"Gather", Gather},
                                                        {"CumSum", CumSum},
                                                        {"ReduceSum", ReduceSum},
                                                        {"ScatterND", ScatterNd},
                                                        {"Shape", Shape},
                                                        {"Cast", Cast}};
  const std::map<std::string, Make1> plain = {
      {"Slice", Slice},   {"Reshape", Reshape}, {"Where", Where}, {"Unsqueeze", Unsqueeze},
      {"Expand", Expand}, {"Div", Divide},      {"PRelu", PRelu}};
  if (op == "Squeeze") {
    GraphTensor y = *in[0];
    EXPECT_EQ(y.dims, Dims{1});
    y.dims.clear();
    return y;
  }
  if (const auto found = with_attributes.find(op); found != with_attributes.end()) {
    return found->second(node, in);
  }
  const auto found = plain.find(op);
  if (found == plain.end()) {
    ADD_FAILURE() << "no operator " << op;
    return {};
  }
  return found->second(in);
}

}  // namespace

GraphTensors EvaluateGraph(const onnx::ModelProto& model, const GraphTensors& inputs) {
  GraphTensors known = inputs;
  for (const onnx::TensorProto& constant : model.graph().initializer()) {
    known[constant.name()] = Constant(constant);
  }
  for (const onnx::NodeProto& node : model.graph().node()) {
    Arguments arguments;
    for (const std::string& input : node.input()) {
      EXPECT_TRUE(known.contains(input)) << node.op_type() << " reads " << input;
      arguments.push_back(&known[input]);
    }
    known[node.output(0)] = Compute(node, arguments);
  }
  return known;
}

}  // namespace antiphon
