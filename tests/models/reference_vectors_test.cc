// Every model against tests/golden/models: forward and every gradient, in double and in float.
#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <numeric>
#include <ostream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "models/model.h"
#include "models/tape/funnel_op.h"
#include "tests/support/golden_vector.h"

namespace antiphon {
namespace {

using nlohmann::json;

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

// A matrix of the vector that becomes columns of the model's input: a feature group of its name.
struct InputPart {
  std::string name;
  int of_scene = -1;  // its rows are those of this scene, the others are zeros
};

struct VectorCase {
  std::string vector;
  std::string config;  // ModelConfig as text
  std::vector<InputPart> inputs;
  // Block of the model -> parameters of the vector, one below the other.
  std::map<std::string, std::vector<std::string>> blocks;
  std::vector<InputScene> scenes = {};
  // For pairs of features: columns of plain weights before the rest, and three fields after them.
  uint32_t linear = 0;
  uint32_t field_dim = 0;
  // Blocks that the vector has in another form: their values, and gradients, made from it.
  using Derived = std::function<std::vector<double>(const json& vector, const char* section)>;
  std::map<std::string, Derived> derived = {};
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
          {{"x"}},
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
                  {{"e"}},
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
                  {{"e"}},
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
                  {{"e"}},
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
                  {{"e"}},
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

// z_s of the vector is z + z_s of the model, z that of an unlisted scene.
void AddSceneEmbeddings(VectorCase& c) {
  const auto sum = [](const json& vector, const std::vector<std::string>& names) {
    std::vector<double> total;
    for (const std::string& name : names) {
      const std::vector<double> values = Flat(vector[name]);
      total.resize(values.size());
      for (size_t i = 0; i < values.size(); ++i)
        total[i] += values[i];
    }
    return total;
  };
  c.derived["scene_embedding"] = [sum](const json& vector, const char* section) {
    const bool is_value = std::string(section) == "params";
    return sum(vector[section], is_value ? std::vector<std::string>{"z_unknown"}
                                         : std::vector<std::string>{"z0", "z1", "z_unknown"});
  };
  for (const std::string s : {"0", "1"}) {
    c.derived["scene." + s + ".embedding"] = [sum, s](const json& vector, const char* section) {
      std::vector<double> values = sum(vector[section], {"z" + s});
      for (size_t i = 0; i < values.size() && std::string(section) == "params"; ++i)
        values[i] -= vector[section]["z_unknown"][i].get<double>();
      return values;
    };
  }
}

VectorCase UmsCase(const std::string& vector) {
  VectorCase c = {vector,
                  R"(model_class: "UMS" ums {
                       public_dnn { hidden_units: 4 }
                       expert_dnn { hidden_units: 3 } num_expert: 2
                       scene_embedding_dim: 2
                       private_dnn { hidden_units: 3 }
                       task_towers { tower_name: "tower0" dnn { hidden_units: 3 } }
                       task_towers { tower_name: "tower1" dnn { hidden_units: 3 } } })",
                  {{"e"}, {"q0", 0}, {"q1", 1}},
                  {{"public.0.weight", {"public.0.W"}},
                   {"public.0.bias", {"public.0.b"}},
                   {"experts.0.weight", {"expert0.0.W", "expert1.0.W"}},
                   {"experts.0.bias", {"expert0.0.b", "expert1.0.b"}}},
                  {{.name = "0", .private_group = {.name = "q0"}},
                   {.name = "1", .private_group = {.name = "q1"}}}};
  AddSceneEmbeddings(c);
  for (const std::string k : {"0", "1"}) {
    AddTower("tower" + k, c.blocks);
    c.blocks["tower" + k + ".gate.weight"] = {"gate" + k + ".W"};
    c.blocks["tower" + k + ".gate.bias"] = {"gate" + k + ".b"};
  }
  for (const std::string s : {"0", "1"}) {
    const std::string scene = "scene." + s + ".";
    c.blocks[scene + "private.0.weight"] = {"sen" + s + ".0.W"};
    c.blocks[scene + "private.0.bias"] = {"sen" + s + ".0.b"};
    c.blocks[scene + "gate"] = {"sen" + s + ".V"};
    c.blocks[scene + "shift"] = {"sen" + s + ".B"};
    for (const std::string k : {"0", "1"}) {
      std::map<std::string, std::vector<std::string>> tower;
      AddTower("tower" + k, tower);
      for (const auto& [block, names] : tower) {
        c.blocks[scene + block] = {"delta" + s + "." + names.front()};
      }
    }
  }
  return c;
}

// What STAR counts of the rows of a scene, or of all: it stands where a gradient would.
std::vector<double> CountedMoments(const json& vector, int scene) {
  const json& e = vector["inputs"]["e"];
  const size_t cols = e[0].size();
  std::vector<double> sums(2 * cols + 1);
  for (size_t r = 0; r < e.size(); ++r) {
    if (scene >= 0 && vector["inputs"]["scene"][r].get<int>() != scene)
      continue;
    for (size_t c = 0; c < cols; ++c) {
      const double x = e[r][c].get<double>();
      sums[c] += x;
      sums[cols + c] += x * x;
    }
    sums[2 * cols] += 1;
  }
  return sums;
}

VectorCase StarCase() {
  VectorCase c = {"star",
                  R"(model_class: "STAR" star {
                       aux_dnn { hidden_units: 2 } scene_embedding_dim: 2
                       task_towers { tower_name: "t" dnn { hidden_units: 3 } } })",
                  {{"e"}},
                  {{"norm.gamma", {"pn.gamma"}}, {"norm.beta", {"pn.beta"}}},
                  {{.name = "0"}, {.name = "1"}}};
  const auto add_tower = [&c](const std::string& block, const std::string& name) {
    c.blocks[block + ".0.weight"] = {name + ".0.W"};
    c.blocks[block + ".0.bias"] = {name + ".0.b"};
    c.blocks[block + ".logit.weight"] = {name + ".1.W"};
    c.blocks[block + ".logit.bias"] = {name + ".1.b"};
  };
  const auto moments = [](int scene) {
    return [scene](const json& vector, const char* section) {
      const std::vector<double> counted = CountedMoments(vector, scene);
      return std::string(section) == "params" ? std::vector<double>(counted.size()) : counted;
    };
  };
  add_tower("t", "shared");
  add_tower("t.aux", "aux");
  c.derived["norm.moments"] = moments(-1);
  // The vector has no part of the embedding that all scenes share: it is 0.
  c.derived["scene_embedding"] = [](const json& vector, const char* section) {
    std::vector<double> values(2);
    for (size_t i = 0; i < 2 && std::string(section) == "grads"; ++i)
      values[i] = vector[section]["z0"][i].get<double>() + vector[section]["z1"][i].get<double>();
    return values;
  };
  for (const int s : {0, 1}) {
    const std::string scene = "scene." + std::to_string(s) + ".";
    add_tower(scene + "t", "domain" + std::to_string(s));
    c.blocks[scene + "norm.gamma"] = {"pn.gamma" + std::to_string(s)};
    c.blocks[scene + "norm.beta"] = {"pn.beta" + std::to_string(s)};
    c.blocks[scene + "embedding"] = {"z" + std::to_string(s)};
    c.derived[scene + "norm.moments"] = moments(s);
  }
  return c;
}

VectorCase PepNetCase() {
  VectorCase c = {"pepnet",
                  R"(model_class: "PEPNet" pepnet {
                       domain_group: "dom" prior_group: "prior" gate_hidden_units: 4
                       task_towers { tower_name: "tower0" dnn { hidden_units: 3 } }
                       task_towers { tower_name: "tower1" dnn { hidden_units: 3 } } })",
                  {{"dom"}, {"e"}, {"prior"}},
                  {}};
  AddTower("tower0", c.blocks);
  AddTower("tower1", c.blocks);
  for (const auto& [gate, name] :
       {std::pair("epnet", "ep"), {"ppnet.0", "pp0"}, {"ppnet.1", "pp1"}}) {
    for (const std::string layer : {".0", ".1"}) {
      c.blocks[gate + layer + ".weight"] = {name + layer + ".W"};
      c.blocks[gate + layer + ".bias"] = {name + layer + ".b"};
    }
  }
  return c;
}

VectorCase EsmmCase(const std::string& vector, const std::string& option) {
  VectorCase c = {vector,
                  R"(model_class: "ESMM" esmm {
                       ctr_tower { tower_name: "ctr" dnn { hidden_units: 3 } }
                       cvr_tower { tower_name: "cvr" dnn { hidden_units: 3 } } )" +
                      option + "}",
                  {{"e"}},
                  {}};
  AddTower("ctr", c.blocks);
  AddTower("cvr", c.blocks);
  return c;
}

VectorCase Esm2Case() {
  VectorCase c = {"funnel_esm2",
                  R"(model_class: "Funnel" funnel {
                       events { tower { tower_name: "click" dnn { hidden_units: 3 } } }
                       events { tower { tower_name: "action" dnn { hidden_units: 3 } }
                                after: "click" }
                       events { tower { tower_name: "buy" dnn { hidden_units: 3 } }
                                after: "action" after_not: "action" } })",
                  {{"e"}},
                  {}};
  for (const char* tower : {"click", "action", "buy.after_action", "buy.after_not_action"}) {
    AddTower(tower, c.blocks);
  }
  return c;
}

constexpr char kTwoTowers[] = R"( task_towers { tower_name: "tower0" dnn { hidden_units: 3 } }
                                   task_towers { tower_name: "tower1" dnn { hidden_units: 3 } } })";

VectorCase EsmmFmCase() {
  VectorCase c = EsmmCase("esmm_fm", "");
  c.config += " fm { mode: BI_VECTOR }";
  c.inputs = {{"w"}, {"e"}};
  c.linear = 3;
  c.field_dim = 2;
  return c;
}

VectorCase FmCase(const std::string& vector, const std::string& config,
                  const std::string& weights) {
  VectorCase c = {vector, config, {{weights}, {"e"}, {"x"}}, {}};
  c.linear = weights == "w" ? 3 : 2;
  c.field_dim = 2;
  AddTower("tower0", c.blocks);
  AddTower("tower1", c.blocks);
  return c;
}

VectorCase DeepFmCase() {
  return FmCase("deepfm", std::string(R"(model_class: "DeepFM" deepfm {)") + kTwoTowers, "wsum");
}

VectorCase FmLogitCase() {
  VectorCase c = FmCase(
      "fm_logit", std::string(R"(fm { mode: LOGIT } model_class: "DNN" dnn_model {)") + kTwoTowers,
      "wsum");
  c.blocks["fm.scale.0"] = {"s0"};
  c.blocks["fm.scale.1"] = {"s1"};
  return c;
}

VectorCase FmKernelCase() {
  VectorCase c = FmCase(
      "fm_kernel",
      std::string(R"(fm { mode: KERNEL } model_class: "DNN" dnn_model {)") + kTwoTowers, "w");
  c.blocks["fm.kernel"] = {"U0", "U1", "U2"};
  c.blocks["fm.kernel_scale"] = {"r"};
  return c;
}

constexpr char kSides[] = R"( host_group: "host" text_group: "text" avatar_group: "avatar"
                              projection_dim: 2 })";

VectorCase TripletCase() {
  VectorCase c = {"triplet",
                  std::string(R"(model_class: "DNN" dnn_model {)") + kTwoTowers +
                      R"( triplet { user_group: "user")" + kSides,
                  {{"user"}, {"host"}, {"text"}, {"avatar"}},
                  {{"triplet.user", {"triplet.user.W"}}}};
  for (const std::string side : {"triplet.host", "triplet.text", "triplet.avatar"}) {
    c.blocks[side] = {side + ".W"};
  }
  AddTower("tower0", c.blocks);
  AddTower("tower1", c.blocks);
  return c;
}

// Both that extend a model's input, in their order.
VectorCase TripletFmCase() {
  VectorCase c = TripletCase();
  c.vector = "triplet_fm";
  c.config = std::string(R"(model_class: "DNN" dnn_model {)") + kTwoTowers +
             " fm { mode: BI_VECTOR } triplet {" + kSides;
  c.inputs = {{"w"}, {"host"}, {"text"}, {"avatar"}};
  c.blocks.erase("triplet.user");
  c.linear = 3;
  c.field_dim = 2;
  return c;
}

// The scene of each row of the vector; empty without scenes.
std::vector<int> ScenesOf(const json& inputs) {
  return inputs.contains("scene") ? inputs["scene"].get<std::vector<int>>() : std::vector<int>();
}

// Row i of the model's pass is row order[i] of the vector: scene by scene, unlisted ones last.
std::vector<size_t> RowOrder(const json& inputs) {
  const std::vector<int> scenes = ScenesOf(inputs);
  std::vector<size_t> order(inputs["v"].size());
  std::iota(order.begin(), order.end(), size_t{0});
  const auto rank = [&scenes](size_t row) { return static_cast<uint32_t>(scenes[row]); };
  if (!scenes.empty()) {
    std::stable_sort(order.begin(), order.end(),
                     [&rank](size_t a, size_t b) { return rank(a) < rank(b); });
  }
  return order;
}

// The input matrix, or from "grads" its gradient.
std::vector<std::vector<double>> InputRows(const json& vector, const char* section,
                                           const std::vector<InputPart>& parts) {
  const std::vector<int> scenes = ScenesOf(vector["inputs"]);
  std::vector<std::vector<double>> rows(vector["inputs"]["v"].size());
  for (const InputPart& part : parts) {
    const json& matrix = vector[section][part.name];
    size_t next = 0;
    for (size_t r = 0; r < rows.size(); ++r) {
      const bool has_row = part.of_scene < 0 || scenes[r] == part.of_scene;
      const std::vector<double> values =
          has_row ? Flat(matrix[next++]) : std::vector<double>(Flat(matrix[0]).size(), 0);
      rows[r].insert(rows[r].end(), values.begin(), values.end());
    }
  }
  return rows;
}

// One column of labels and weights, and what the loss is multiplied with.
struct TaskColumn {
  std::vector<double> label;
  std::vector<double> weight;
  double scale = 1;
};

// What a row's scene makes of its weight in task k: 0 where it does not have the task.
double SceneWeight(const json& inputs, size_t row, size_t k) {
  if (!inputs.contains("scene_has_task")) {
    return 1;
  }
  const int scene = inputs["scene"][row].get<int>();
  if (scene < 0) {
    return 0;
  }
  return inputs["scene_has_task"][scene][k].get<double>() *
         inputs["scene_weight"][scene].get<double>();
}

// From the vector's y, v and its own names for task weights, in the vector's order.
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
      columns[k].weight.push_back(label < 0 ? 0 : v[r] * SceneWeight(inputs, r, k));
      total += columns[k].weight.back();
    }
    double omega = 1;
    if (inputs.contains("omega"))
      omega = inputs["omega"][k].get<double>();
    if (funnel && k == 1 && inputs.contains("lam"))
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
    InputShape shape;
    for (const InputPart& part : case_.inputs) {
      const auto width = static_cast<uint32_t>(Flat(vector_["inputs"][part.name][0]).size());
      shape.groups.push_back({part.name, shape.width, width});
      shape.width += width;
    }
    shape.linear = case_.linear;
    for (uint32_t f = 0; case_.field_dim > 0 && f < 3; ++f) {
      shape.fields.push_back({case_.linear + f * case_.field_dim, case_.field_dim});
    }
    shape.scenes = case_.scenes;
    for (InputScene& scene : shape.scenes) {
      for (const InputGroup& group : shape.groups) {
        if (group.name == scene.private_group.name) {
          scene.private_group = group;
        }
      }
    }
    model_ = MakeModel<T>(config, shape, blocks_);
    leaves_.resize(blocks_.specs().size() + 1);
    for (size_t i = 0; i < blocks_.specs().size(); ++i) {
      const std::string& name = blocks_.specs()[i].name();
      ASSERT_TRUE(case_.blocks.contains(name) || case_.derived.contains(name)) << name;
      leaves_[i].value = Convert(BlockValues("params", i));
    }
    EXPECT_EQ(case_.blocks.size() + case_.derived.size(), blocks_.specs().size());
    leaves_.back().value = Convert(InputValues("inputs"));
  }

  // In the order of the pass.
  std::vector<double> InputValues(const char* section) {
    const std::vector<std::vector<double>> rows = InputRows(vector_, section, case_.inputs);
    std::vector<double> values;
    for (const size_t row : order_) {
      values.insert(values.end(), rows[row].begin(), rows[row].end());
    }
    return values;
  }

  std::vector<double> BlockValues(const char* section, size_t block) {
    std::vector<double> values;
    const auto derived = case_.derived.find(blocks_.specs()[block].name());
    if (derived != case_.derived.end()) {
      return derived->second(vector_, section);
    }
    for (const std::string& name : case_.blocks.at(blocks_.specs()[block].name())) {
      Flatten(vector_[section][name], values);
    }
    return values;
  }

  std::vector<double> InOrder(const std::vector<double>& values) const {
    std::vector<double> ordered;
    for (const size_t row : order_) {
      ordered.push_back(values[row]);
    }
    return ordered;
  }

  std::vector<SceneRows> Scenes() const {
    std::vector<SceneRows> scenes;
    const std::vector<int> of_row = ScenesOf(vector_["inputs"]);
    for (uint32_t i = 0; i < of_row.size(); ++i) {
      const auto scene = static_cast<uint32_t>(of_row[order_[i]]);  // -1 is kUnlistedScene
      if (scenes.empty() || scenes.back().scene != scene) {
        scenes.push_back({scene, i, 0});
      }
      ++scenes.back().rows;
    }
    return scenes;
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
    const size_t rows = order_.size();
    const Var<T> input =
        MakeLeaf(leaves_.back(), rows, leaves_.back().value.size() / rows, kInputs);
    columns_ = Tasks(vector_["inputs"], case_.vector);
    logits_.resize(model_->LogitCount(columns_.size()));
    const std::vector<SceneRows> scenes = Scenes();
    model_->Forward({.tape = tape_,
                     .blocks = vars_,
                     .purpose = Pass<T>::Purpose::kTrain,
                     .dropout = {},
                     .scenes = scenes},
                    input, logits_);
    for (const TaskColumn& column : columns_) {
      labels_.push_back(Convert(InOrder(column.label)));
      weights_.push_back(Convert(InOrder(column.weight)));
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
    const size_t count = logits_.size();
    for (size_t r = 0; r < logits_[0].rows; ++r) {
      for (size_t i = 0; i < count; ++i) {
        ExpectClose(logits_[i].value[r], expected[order_[r] * count + i], "logit");
      }
    }
    for (size_t k = 0; k < columns_.size(); ++k) {
      const Var<T> logit = model_->Predict(tape_, logits_, k);
      for (size_t r = 0; r < logit.rows; ++r) {
        const double predicted = 1 / (1 + std::exp(-double{logit.value[r]}));
        if (outputs.contains("probs")) {
          EXPECT_NEAR(predicted, Flat(outputs["probs"][order_[r]])[k], 1e-6);
        } else if (outputs.contains("pctcvr") && k == 1) {
          EXPECT_NEAR(predicted, outputs["pctcvr"][order_[r]].get<double>(), 1e-6);
        }
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
    CheckLeaf(leaves_.back(), InputValues("grads"), "the input");
  }

  void CheckLeaf(const Leaf& leaf, const std::vector<double>& expected, const std::string& name) {
    ASSERT_EQ(leaf.grad.size(), expected.size()) << name;
    const bool is_reached = std::any_of(expected.begin(), expected.end(),
                                        [](double gradient) { return gradient != 0; });
    EXPECT_TRUE(leaf.buffer.live || !is_reached) << name;
    for (size_t i = 0; i < expected.size() && leaf.buffer.live; ++i) {
      ExpectClose(leaf.grad[i], expected[i], name);
    }
  }

  void ExpectClose(double actual, double expected, const std::string& what) const {
    EXPECT_NEAR(actual, expected, tolerance_ * (1 + std::abs(expected))) << what;
  }

  const VectorCase& case_;
  json vector_;
  std::vector<size_t> order_{RowOrder(vector_["inputs"])};
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
                    EsmmCase("esmm_mean_stop_ctr", "stop_ctr_grad_in_ctcvr: true"), Esm2Case(),
                    EsmmFmCase(), DeepFmCase(), FmLogitCase(), FmKernelCase(), UmsCase("ums"),
                    UmsCase("ums_zero_init"), StarCase(), PepNetCase(), TripletCase(),
                    TripletFmCase()),
    [](const testing::TestParamInfo<VectorCase>& test) { return test.param.vector; });

TEST(EsmmLossTest, StaysFiniteAndRightAtExtremeLogitsInFloat) {
  const json vector = LoadVector("esmm_extreme");
  const std::vector<double> a = Flat(vector["inputs"]["a"]);
  const std::vector<double> c = Flat(vector["inputs"]["c"]);
  const std::vector<double> y = Flat(vector["inputs"]["y"]);
  const Gemm gemm = Gemm::Create(GemmBackend::kEigen);
  Tape<float> tape(gemm, BestKernels());
  const float scale = 1;
  const FunnelStep steps[] = {{.logit = 1}, {.logit = 0, .yes = 0}};
  for (size_t r = 0; r < a.size(); ++r) {
    const float logits[] = {static_cast<float>(a[r]), static_cast<float>(c[r])};
    float grads[2] = {};
    GradBuffer<float> buffers[2] = {{&grads[0], 1, false}, {&grads[1], 1, false}};
    const float label = static_cast<float>(y[2 * r] * y[2 * r + 1]);
    const float weight = 1;
    tape.Reset(Tape<float>::Recording::kYes);

    const Var<float> vars[] = {tape.Leaf(&logits[0], 1, 1, kBoth, &buffers[0]),
                               tape.Leaf(&logits[1], 1, 1, kBoth, &buffers[1])};
    const double loss = FunnelLogLoss<float>(tape, steps, vars, {&label, &weight}, &scale);
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
    EXPECT_NEAR(FunnelOdds<float>(steps, vars, 0).logit(), std::log(odds), 1e-9) << r;
  }
}

}  // namespace
}  // namespace antiphon
