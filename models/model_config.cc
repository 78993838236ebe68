#include "models/model_config.h"

#include <algorithm>
#include <array>
#include <utility>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include "common/data/field_checks.h"
#include "models/model.h"
#include "models/task_loss.h"

namespace antiphon {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr std::array<std::pair<std::string_view, LayerActivation>, 5> kActivations = {
    {{"linear", LayerActivation::kLinear},
     {"relu", LayerActivation::kRelu},
     {"sigmoid", LayerActivation::kSigmoid},
     {"tanh", LayerActivation::kTanh},
     {"prelu", LayerActivation::kPRelu}}};

// Adds every TaskTower of the message, and of the messages in it.
void AddTowers(const Message& message, const std::string& path, std::vector<TowerRef>& towers) {
  const Reflection& reflection = *message.GetReflection();
  const auto add = [&towers](const Message& value, const std::string& place) {
    if (const auto* tower = google::protobuf::DynamicCastToGenerated<TaskTower>(&value)) {
      towers.push_back({tower, place});
    } else {
      AddTowers(value, place, towers);
    }
  };
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor& field = *message.GetDescriptor()->field(i);
    const std::string place = path + "." + field.name();
    if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
      continue;
    }
    if (!field.is_repeated()) {
      add(reflection.GetMessage(message, &field), place);
      continue;
    }
    for (int n = 0; n < reflection.FieldSize(message, &field); ++n) {
      add(reflection.GetRepeatedMessage(message, &field, n), ElementPath(place, n));
    }
  }
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

std::optional<LayerActivation> ParseActivation(std::string_view text) {
  for (const auto& [name, value] : kActivations) {
    if (name == text) {
      return value;
    }
  }
  return std::nullopt;
}

std::vector<TowerRef> Towers(const ModelConfig& model) {
  std::vector<TowerRef> towers;
  if (const FieldDescriptor* field = FindModelField(model.model_class())) {
    AddTowers(ModelConfig::GetReflection()->GetMessage(model, field),
              "model_config." + field->name(), towers);
  }
  return towers;
}

std::vector<std::string> TaskNames(const ModelConfig& model) {
  std::vector<std::string> names;
  for (const TowerRef& ref : Towers(model)) {
    names.push_back(ref.tower->tower_name());
  }
  return names;
}

std::vector<std::string> MeasureNames(const ModelConfig& model) {
  std::vector<std::string> names = TaskNames(model);
  for (const TaskEvent& event : TaskEventsOf(model)) {
    if (!event.ways.empty()) {
      names.push_back(event.conditional_name);
    }
  }
  return names;
}

LabelColumns ModelLabels(const ModelConfig& model) {
  LabelColumns labels;
  for (const TowerRef& ref : Towers(model)) {
    const uint32_t label = IndexOf(ref.tower->label_name(), labels.names);
    labels.ranges.resize(labels.names.size(), RangeOf(ref.tower->loss_type()));
    // Several towers may read it: it has to please the one that takes least.
    labels.ranges[label] = std::min(labels.ranges[label], RangeOf(ref.tower->loss_type()));
    if (ref.tower->has_task_space_indicator_label()) {
      IndexOf(ref.tower->task_space_indicator_label(), labels.names);
    }
    labels.ranges.resize(labels.names.size(), LabelRange::kZeroOrOne);
  }
  const std::vector<TowerRef> towers = Towers(model);
  const std::vector<TaskEvent> events = TaskEventsOf(model);
  for (size_t k = 0; k < events.size(); ++k) {
    const std::vector<EventWay>& ways = events[k].ways;
    if (ways.size() == 1 && ways[0].happened) {
      const std::string& cause = towers[ways[0].event].tower->label_name();
      labels.implied.push_back(
          {IndexOf(towers[k].tower->label_name(), labels.names), IndexOf(cause, labels.names)});
    }
  }
  return labels;
}

}  // namespace antiphon
