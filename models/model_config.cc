#include "models/model_config.h"

#include <algorithm>
#include <array>
#include <utility>

namespace antiphon {
namespace {

constexpr std::array<std::pair<std::string_view, ModelClass>, 5> kClasses = {
    {{"LR", ModelClass::kLr},
     {"DNN", ModelClass::kDnn},
     {"SharedBottom", ModelClass::kSharedBottom},
     {"MMoE", ModelClass::kMmoe},
     {"ESMM", ModelClass::kEsmm}}};

constexpr std::array<std::pair<std::string_view, LayerActivation>, 5> kActivations = {
    {{"linear", LayerActivation::kLinear},
     {"relu", LayerActivation::kRelu},
     {"sigmoid", LayerActivation::kSigmoid},
     {"tanh", LayerActivation::kTanh},
     {"prelu", LayerActivation::kPRelu}}};

template <typename Towers>
std::vector<TowerRef> TowersOf(const Towers& message, const std::string& path) {
  std::vector<TowerRef> towers;
  for (int i = 0; i < message.task_towers_size(); ++i) {
    towers.push_back({&message.task_towers(i), path + ".task_towers[" + std::to_string(i) + "]"});
  }
  return towers;
}

// Where `name` stands in `names`, after it was added if need be.
uint32_t IndexOf(const std::string& name, std::vector<std::string>& names) {
  const auto found = std::find(names.begin(), names.end(), name);
  const auto index = static_cast<uint32_t>(found - names.begin());
  if (found == names.end()) {
    names.push_back(name);
  }
  return index;
}

}  // namespace

std::optional<ModelClass> ParseModelClass(std::string_view text) {
  for (const auto& [name, value] : kClasses) {
    if (name == text) {
      return value;
    }
  }
  return std::nullopt;
}

std::vector<std::string> ModelClassNames() {
  std::vector<std::string> names;
  for (const auto& [name, value] : kClasses) {
    names.emplace_back(name);
  }
  return names;
}

std::optional<LayerActivation> ParseActivation(std::string_view text) {
  for (const auto& [name, value] : kActivations) {
    if (name == text) {
      return value;
    }
  }
  return std::nullopt;
}

std::vector<TowerRef> Towers(const ModelConfig& model) {
  const std::optional<ModelClass> model_class = ParseModelClass(model.model_class());
  if (!model_class.has_value()) {
    return {};
  }
  switch (*model_class) {
    case ModelClass::kLr:
      return TowersOf(model.lr(), "model_config.lr");
    case ModelClass::kDnn:
      return TowersOf(model.dnn_model(), "model_config.dnn_model");
    case ModelClass::kSharedBottom:
      return TowersOf(model.shared_bottom(), "model_config.shared_bottom");
    case ModelClass::kMmoe:
      return TowersOf(model.mmoe(), "model_config.mmoe");
    case ModelClass::kEsmm:
      return {{&model.esmm().ctr_tower(), "model_config.esmm.ctr_tower"},
              {&model.esmm().cvr_tower(), "model_config.esmm.cvr_tower"}};
  }
  return {};
}

std::vector<std::string> TaskNames(const ModelConfig& model) {
  std::vector<std::string> names;
  for (const TowerRef& ref : Towers(model)) {
    names.push_back(ref.tower->tower_name());
  }
  return names;
}

LabelColumns ModelLabels(const ModelConfig& model) {
  LabelColumns labels;
  for (const TowerRef& ref : Towers(model)) {
    IndexOf(ref.tower->label_name(), labels.names);
    if (ref.tower->has_task_space_indicator_label()) {
      IndexOf(ref.tower->task_space_indicator_label(), labels.names);
    }
  }
  if (ParseModelClass(model.model_class()) == ModelClass::kEsmm) {
    labels.implied.push_back({IndexOf(model.esmm().cvr_tower().label_name(), labels.names),
                              IndexOf(model.esmm().ctr_tower().label_name(), labels.names)});
  }
  return labels;
}

}  // namespace antiphon
