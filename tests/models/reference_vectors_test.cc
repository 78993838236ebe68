// Every model against tests/golden/models: forward and every gradient, in double and in float.
#include <cmath>
#include <fstream>
#include <map>
#include <ostream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "models/model.h"
#include "models/tape/loss_ops.h"

namespace antiphon {
namespace {

using nlohmann::json;

json LoadVector(const std::string& name) {
  std::ifstream file(std::string(ANTIPHON_SOURCE_DIR) + "/tests/golden/models/" + name + ".json");
  return json::parse(file);
}

// Numbers of arrays in arrays, row by row.
void Flatten(const json& value, std::vector<double>& out) {
  if (value.is_number()) {
    out.push_back(value.get<double>());
    return;
  }
  for (const json& element : value) {
    Flatten(element, out);
  }
}
std::vector<double> Flat(const json& value) {
  std::vector<double> out;
  Flatten(value, out);
  return out;
}

struct VectorCase {
  std::string vector;
  std::string config;  // ModelConfig as text
  std::string input;   // name of the input matrix in the vector
  // Block of the model -> parameters of the vector, one below the other.
  std::map<std::string, std::vector<std::string>> blocks;
};

std::ostream& operator<<(std::ostream& out, const VectorCase& c) {
  return out << c.vector;
}

// Layer 0 and the logit of a tower with one hidden layer.
void AddTower(const std::string& name, std::map<std::string, std::vector<std::string>>& blocks) {
  blocks[name + ".0.weight"] = {name + ".0.W"};
  blocks[name + ".0.bias"] = {name + ".0.b"};
  blocks[name + ".logit.weight"] = {name + ".1.W"};
  blocks[name + ".logit.bias"] = {name + ".1.b"};
}

VectorCase MlpCase() {
  return {"mlp",
          R"(model_class: "DNN" dnn_model { task_towers {
               tower_name: "t" dnn { hidden_units: [5, 3] } } })",
          "x",
          {{"t.0.weight", {"f.0.W"}},
           {"t.0.bias", {"f.0.b"}},
           {"t.1.weight", {"f.1.W"}},
           {"t.1.bias", {"f.1.b"}},
           {"t.logit.weight", {"f.2.W"}},
           {"t.logit.bias", {"f.2.b"}}}};
}

VectorCase SharedBottomCase() {
  VectorCase c = {"shared_bottom",
                  R"(model_class: "SharedBottom" shared_bottom {
                       bottom_dnn { hidden_units: [4, 3] }
                       task_towers { tower_name: "tower0" dnn { hidden_units: 3 } }
                       task_towers { tower_name: "tower1" } })",
                  "e",
                  {{"bottom.0.weight", {"bottom.0.W"}},
                   {"bottom.0.bias", {"bottom.0.b"}},
                   {"bottom.1.weight", {"bottom.1.W"}},
                   {"bottom.1.bias", {"bottom.1.b"}},
                   {"tower1.logit.weight", {"tower1.0.W"}},
                   {"tower1.logit.bias", {"tower1.0.b"}}}};
  AddTower("tower0", c.blocks);
  return c;
}

VectorCase MmoeCase() {
  VectorCase c = {"mmoe",
                  R"(model_class: "MMoE" mmoe {
                       expert_dnn { hidden_units: 4 } num_expert: 3
                       task_towers { tower_name: "tower0" dnn { hidden_units: 3 } }
                       task_towers { tower_name: "tower1" dnn { hidden_units: 3 } }
                       task_towers { tower_name: "tower2" dnn { hidden_units: 3 } } })",
                  "e",
                  {{"experts.0.weight", {"expert0.0.W", "expert1.0.W", "expert2.0.W"}},
                   {"experts.0.bias", {"expert0.0.b", "expert1.0.b", "expert2.0.b"}}}};
  for (const char* k : {"0", "1", "2"}) {
    const std::string tower = std::string("tower") + k;
    AddTower(tower, c.blocks);
    c.blocks[tower + ".gate.weight"] = {std::string("gate") + k + ".W"};
    c.blocks[tower + ".gate.bias"] = {std::string("gate") + k + ".b"};
  }
  return c;
}

VectorCase OmoeCase() {
  VectorCase c = {"omoe",
                  R"(model_class: "MMoE" mmoe {
                       expert_dnn { hidden_units: 4 } num_expert: 3 one_gate: true
                       task_towers { tower_name: "tower0" dnn { hidden_units: 3 } }
                       task_towers { tower_name: "tower1" dnn { hidden_units: 3 } } })",
                  "e",
                  {{"experts.0.weight", {"expert0.0.W", "expert1.0.W", "expert2.0.W"}},
                   {"experts.0.bias", {"expert0.0.b", "expert1.0.b", "expert2.0.b"}},
                   {"gate.weight", {"gate.W"}},
                   {"gate.bias", {"gate.b"}}}};
  AddTower("tower0", c.blocks);
  AddTower("tower1", c.blocks);
  return c;
}

VectorCase PleCase() {
  VectorCase c = {"ple",
                  R"(model_class: "PLE" ple {
                       extraction_networks { network_name: "l0" expert_num_per_task: 2
                                             task_expert_net { hidden_units: 3 } }
                       extraction_networks { network_name: "l1" expert_num_per_task: 2
                                             task_expert_net { hidden_units: 3 } }
                       task_towers { tower_name: "tower0" }
                       task_towers { tower_name: "tower1" } })",
                  "e",
                  {{"l0.share.gate.weight", {"l0.gate_shared.W"}},
                   {"l0.share.gate.bias", {"l0.gate_shared.b"}}}};
  for (const std::string level : {"l0", "l1"}) {
    const std::string shared = level + ".shared.expert0.0.";
    c.blocks[level + ".share.experts.0.weight"] = {shared + "W"};
    c.blocks[level + ".share.experts.0.bias"] = {shared + "b"};
    for (const std::string k : {"0", "1"}) {
      const std::string block = level + ".tower" + k;
      const std::string expert = level + ".task" + k + ".expert";
      c.blocks[block + ".experts.0.weight"] = {expert + "0.0.W", expert + "1.0.W"};
      c.blocks[block + ".experts.0.bias"] = {expert + "0.0.b", expert + "1.0.b"};
      c.blocks[block + ".gate.weight"] = {level + ".gate" + k + ".W"};
      c.blocks[block + ".gate.bias"] = {level + ".gate" + k + ".b"};
    }
  }
  for (const std::string k : {"0", "1"}) {
    c.blocks["tower" + k + ".logit.weight"] = {"tower" + k + ".0.W"};
    c.blocks["tower" + k + ".logit.bias"] = {"tower" + k + ".0.b"};
  }
  return c;
}

VectorCase EsmmCase(const std::string& vector, const std::string& option) {
  VectorCase c = {vector,
                  R"(model_class: "ESMM" esmm {
                       ctr_tower { tower_name: "ctr" dnn { hidden_units: 3 } }
                       cvr_tower { tower_name: "cvr" dnn { hidden_units: 3 } } )" +
                      option + "}",
                  "e",
                  {}};
  AddTower("ctr", c.blocks);
  AddTower("cvr", c.blocks);
  return c;
}

// One column of labels and weights, and what the loss is multiplied with.
struct TaskColumn {
  std::vector<double> label;
  std::vector<double> weight;
  double scale = 1;
};

// From the vector's y, v and its own names for task weights.
std::vector<TaskColumn> Tasks(const json& inputs, const std::string& name) {
  const std::vector<double> v = Flat(inputs["v"]);
  const std::vector<double> y = Flat(inputs["y"]);
  const size_t rows = v.size();
  const size_t tasks = y.size() / rows;
  const bool funnel = name.starts_with("esmm");
  std::vector<TaskColumn> columns(tasks);
  for (size_t k = 0; k < tasks; ++k) {
    double total = 0;
    for (size_t r = 0; r < rows; ++r) {
      double label = y[r * tasks + k];
      if (funnel && k == 1)
        label *= y[r * tasks];
      columns[k].label.push_back(label);
      columns[k].weight.push_back(label < 0 ? 0 : v[r]);
      total += columns[k].weight.back();
    }
    double omega = 1;
    if (inputs.contains("omega"))
      omega = inputs["omega"][k].get<double>();
    if (funnel && k == 1)
      omega = inputs["lam"][0].get<double>();
    columns[k].scale = omega / (name == "esmm_sum" ? 1 : total);
  }
  return columns;
}

// Runs one case in one type of number and compares.
template <typename T>
class VectorRun {
 public:
  VectorRun(const VectorCase& c, double tolerance)
      : case_(c), vector_(LoadVector(c.vector)), tolerance_(tolerance) {}

  void Check() {
    Build();
    Forward();
    CheckForward();
    tape_.Backward(kBoth);
    CheckGradients();
  }

 private:
  struct Leaf {
    std::vector<T> value;
    std::vector<T> grad;
    GradBuffer<T> buffer;
  };

  static std::vector<T> Convert(const std::vector<double>& values) {
    return std::vector<T>(values.begin(), values.end());
  }

  void Build() {
    ModelConfig config;
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(case_.config, &config));
    const json& x = vector_["inputs"][case_.input];
    model_ = MakeModel<T>(config, {.width = static_cast<uint32_t>(x[0].size())}, blocks_);
    leaves_.resize(blocks_.specs().size() + 1);
    for (size_t i = 0; i < blocks_.specs().size(); ++i) {
      ASSERT_TRUE(case_.blocks.contains(blocks_.specs()[i].name())) << blocks_.specs()[i].name();
      leaves_[i].value = Convert(BlockValues("params", i));
    }
    EXPECT_EQ(case_.blocks.size(), blocks_.specs().size());
    leaves_.back().value = Convert(Flat(x));
  }

  std::vector<double> BlockValues(const char* section, size_t block) {
    std::vector<double> values;
    for (const std::string& name : case_.blocks.at(blocks_.specs()[block].name())) {
      Flatten(vector_[section][name], values);
    }
    return values;
  }

  Var<T> MakeLeaf(Leaf& leaf, size_t rows, size_t cols, Gradients depends) {
    EXPECT_EQ(leaf.value.size(), rows * cols);
    leaf.grad.resize(leaf.value.size());
    leaf.buffer = {leaf.grad.data(), leaf.grad.size(), false};
    return tape_.Leaf(leaf.value.data(), rows, cols, depends, &leaf.buffer);
  }

  void Forward() {
    for (size_t i = 0; i < blocks_.specs().size(); ++i) {
      const BlockSpec& spec = blocks_.specs()[i];
      vars_.push_back(MakeLeaf(leaves_[i], spec.rows(), spec.cols(), kParameters));
    }
    const json& x = vector_["inputs"][case_.input];
    const Var<T> input = MakeLeaf(leaves_.back(), x.size(), x[0].size(), kInputs);
    columns_ = Tasks(vector_["inputs"], case_.vector);
    logits_.resize(columns_.size());
    model_->Forward({.tape = tape_, .blocks = vars_, .dropout = {}}, input, logits_);
    for (const TaskColumn& column : columns_) {
      labels_.push_back(Convert(column.label));
      weights_.push_back(Convert(column.weight));
      scales_.push_back(static_cast<T>(column.scale));
    }
    std::vector<Target<T>> targets;
    for (size_t k = 0; k < columns_.size(); ++k) {
      targets.push_back({labels_[k].data(), weights_[k].data()});
    }
    std::vector<double> sums(columns_.size());
    model_->Losses(tape_, logits_, targets, scales_, sums);
    for (size_t k = 0; k < sums.size(); ++k) {
      loss_ += sums[k] * columns_[k].scale;
    }
  }

  void CheckForward() {
    const json& outputs = vector_["outputs"];
    EXPECT_NEAR(loss_, outputs["loss"].get<double>(), tolerance_ * 10);
    const std::vector<double> expected = Logits(outputs);
    const size_t tasks = logits_.size();
    for (size_t r = 0; r < logits_[0].rows; ++r) {
      for (size_t k = 0; k < tasks; ++k) {
        ExpectClose(logits_[k].value[r], expected[r * tasks + k], "logit");
      }
    }
    if (outputs.contains("pctcvr")) {
      for (size_t r = 0; r < logits_[0].rows; ++r) {
        const double predicted = model_->PredictedLogit(logits_, 1, r);
        EXPECT_NEAR(1 / (1 + std::exp(-predicted)), outputs["pctcvr"][r].get<double>(), 1e-6);
      }
    }
  }

  static std::vector<double> Logits(const json& outputs) {
    if (outputs.contains("logits"))
      return Flat(outputs["logits"]);
    if (outputs.contains("logit"))
      return Flat(outputs["logit"]);
    std::vector<double> both;
    for (size_t r = 0; r < outputs["ctr_logit"].size(); ++r) {
      both.push_back(outputs["ctr_logit"][r].get<double>());
      both.push_back(outputs["cvr_logit"][r].get<double>());
    }
    return both;
  }

  void CheckGradients() {
    for (size_t i = 0; i < blocks_.specs().size(); ++i) {
      CheckLeaf(leaves_[i], BlockValues("grads", i), blocks_.specs()[i].name());
    }
    CheckLeaf(leaves_.back(), Flat(vector_["grads"][case_.input]), case_.input);
  }

  void CheckLeaf(const Leaf& leaf, const std::vector<double>& expected, const std::string& name) {
    ASSERT_EQ(leaf.grad.size(), expected.size()) << name;
    EXPECT_TRUE(leaf.buffer.live) << name;
    for (size_t i = 0; i < expected.size(); ++i) {
      ExpectClose(leaf.grad[i], expected[i], name);
    }
  }

  void ExpectClose(double actual, double expected, const std::string& what) const {
    EXPECT_NEAR(actual, expected, tolerance_ * (1 + std::abs(expected))) << what;
  }

  const VectorCase& case_;
  json vector_;
  double tolerance_;
  Gemm gemm_ = Gemm::Create(GemmBackend::kAuto);
  Tape<T> tape_{gemm_, BestKernelsOf<T>()};
  BlockList blocks_;
  std::unique_ptr<Model<T>> model_;
  std::vector<Leaf> leaves_;
  std::vector<Var<T>> vars_;
  std::vector<Var<T>> logits_;
  std::vector<TaskColumn> columns_;
  std::vector<std::vector<T>> labels_;
  std::vector<std::vector<T>> weights_;
  std::vector<T> scales_;
  double loss_ = 0;
};

class ReferenceVectorsTest : public testing::TestWithParam<VectorCase> {};

TEST_P(ReferenceVectorsTest, HoldsInDouble) {
  VectorRun<double>(GetParam(), 1e-9).Check();
}
TEST_P(ReferenceVectorsTest, HoldsInFloat) {
  VectorRun<float>(GetParam(), 1e-5).Check();
}

INSTANTIATE_TEST_SUITE_P(
    Models, ReferenceVectorsTest,
    testing::Values(MlpCase(), SharedBottomCase(), MmoeCase(), OmoeCase(), PleCase(),
                    EsmmCase("esmm_sum", ""), EsmmCase("esmm_mean", ""),
                    EsmmCase("esmm_mean_stop_ctr", "stop_ctr_grad_in_ctcvr: true")),
    [](const testing::TestParamInfo<VectorCase>& test) { return test.param.vector; });

TEST(EsmmLossTest, StaysFiniteAndRightAtExtremeLogitsInFloat) {
  const json vector = LoadVector("esmm_extreme");
  const std::vector<double> a = Flat(vector["inputs"]["a"]);
  const std::vector<double> c = Flat(vector["inputs"]["c"]);
  const std::vector<double> y = Flat(vector["inputs"]["y"]);
  const Gemm gemm = Gemm::Create(GemmBackend::kEigen);
  Tape<float> tape(gemm, BestKernels());
  const float scale = 1;
  for (size_t r = 0; r < a.size(); ++r) {
    const float logits[] = {static_cast<float>(a[r]), static_cast<float>(c[r])};
    float grads[2] = {};
    GradBuffer<float> buffers[2] = {{&grads[0], 1, false}, {&grads[1], 1, false}};
    const float label = static_cast<float>(y[2 * r] * y[2 * r + 1]);
    const float weight = 1;
    tape.Reset(Tape<float>::Recording::kYes);

    const double loss =
        ProductLogLoss(tape, tape.Leaf(&logits[0], 1, 1, kBoth, &buffers[0]),
                       tape.Leaf(&logits[1], 1, 1, kBoth, &buffers[1]), {&label, &weight}, &scale);
    tape.Backward(kBoth);

    const json& outputs = vector["outputs"];
    const double expected = outputs["loss_ctcvr_b"][r].get<double>();
    EXPECT_NEAR(loss, expected, 1e-4 * std::abs(expected)) << r;
    const double da = vector["grads"]["a"][r].get<double>();
    const double dc = vector["grads"]["c"][r].get<double>();
    EXPECT_NEAR(grads[0], da, 1e-4 * std::abs(da)) << r;
    EXPECT_NEAR(grads[1], dc, 1e-4 * std::abs(dc)) << r;
    const double odds =
        outputs["pctcvr"][r].get<double>() / outputs["one_minus_pctcvr"][r].get<double>();
    EXPECT_NEAR(ProductLogit(a[r], c[r]), std::log(odds), 1e-9) << r;
  }
}

}  // namespace
}  // namespace antiphon
