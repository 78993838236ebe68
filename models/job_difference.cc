#include "models/job_difference.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/text_format.h>

#include "common/data/field_checks.h"

namespace antiphon {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::TextFormat;

enum class Growth {
  kFixed,     // as it is
  kAnywhere,  // elements may be added; those that are there are known by their name
  kBehind,    // the same, behind the others, since their places are numbers of something
  kFree,      // nothing is trained by it
};

struct GrowingList {
  std::string_view field;  // its full name
  Growth growth = Growth::kFixed;
  std::string_view name_field = "";  // of an element that is a message
};

constexpr std::array kGrowingLists = {
    GrowingList{"antiphon.DataConfig.scenes", Growth::kAnywhere},
    GrowingList{"antiphon.DataConfig.label_fields", Growth::kAnywhere},
    GrowingList{"antiphon.DataConfig.labels", Growth::kAnywhere, "label_name"},
    GrowingList{"antiphon.DataConfig.input_fields", Growth::kAnywhere, "input_name"},
    GrowingList{"antiphon.FeatureConfigs.features", Growth::kBehind, "feature_name"},
    GrowingList{"antiphon.FeatureConfig.vocab_list", Growth::kBehind},
    GrowingList{"antiphon.ModelConfig.feature_groups", Growth::kAnywhere, "group_name"},
    GrowingList{"antiphon.ModelConfig.scene_tasks", Growth::kAnywhere, "scene"},
    GrowingList{"antiphon.SceneTasks.tower_names", Growth::kAnywhere},
    GrowingList{"antiphon.Funnel.events", Growth::kAnywhere, "tower"},
    GrowingList{"antiphon.Job.promotion", Growth::kFree},
    GrowingList{"antiphon.WatchConfig.drift", Growth::kFree},
};

GrowingList RuleOf(const FieldDescriptor& field) {
  // Every model has its towers in a list of its own message.
  if (field.is_repeated() && field.message_type() == TaskTower::descriptor()) {
    return {"", Growth::kAnywhere, "tower_name"};
  }
  const auto found = std::ranges::find(kGrowingLists, field.full_name(), &GrowingList::field);
  return found == kGrowingLists.end() ? GrowingList{} : *found;
}

// One value of a field as it stands in a job file.
std::string TextOf(const Message& message, const FieldDescriptor& field, int index) {
  std::string text;
  TextFormat::Printer printer;
  printer.SetSingleLineMode(true);
  printer.SetUseUtf8StringEscaping(true);
  printer.PrintFieldValueToString(message, &field, index, &text);
  const size_t end = text.find_last_not_of(' ');
  text.resize(end == std::string::npos ? 0 : end + 1);
  return field.message_type() == nullptr ? text : "{ " + text + " }";
}

// What an element of a list is known by.
std::string NameOf(const Message& message, const FieldDescriptor& field, int index,
                   std::string_view name_field) {
  if (field.message_type() == nullptr) {
    return TextOf(message, field, index);
  }
  const Message& element = message.GetReflection()->GetRepeatedMessage(message, &field, index);
  const FieldDescriptor* name = element.GetDescriptor()->FindFieldByName(std::string(name_field));
  if (name->message_type() == TaskTower::descriptor()) {
    const Message& tower = element.GetReflection()->GetMessage(element, name);
    return "\"" + static_cast<const TaskTower&>(tower).tower_name() + "\"";
  }
  return TextOf(element, *name, -1);
}

class Comparison {
 public:
  void Compare(const Message& running, const Message& edited, const std::string& path) {
    const google::protobuf::Descriptor& type = *running.GetDescriptor();
    for (int i = 0; i < type.field_count(); ++i) {
      const FieldDescriptor& field = *type.field(i);
      const std::string place = path.empty() ? field.name() : path + "." + field.name();
      if (field.is_repeated()) {
        CompareLists(running, edited, field, place);
      } else {
        CompareOne(running, edited, field, place);
      }
    }
  }

  std::vector<FieldError> Take() { return std::move(errors_); }

 private:
  void Changed(const std::string& path, const std::string& was, const std::string& is) {
    errors_.push_back({path, "is " + was + " in the running job, got " + is});
  }

  void CompareOne(const Message& running, const Message& edited, const FieldDescriptor& field,
                  const std::string& path) {
    const Reflection& reflection = *running.GetReflection();
    const bool was = reflection.HasField(running, &field);
    const bool is = reflection.HasField(edited, &field);
    if (!was && !is) {
      return;
    }
    if (was && is && field.message_type() != nullptr) {
      Compare(reflection.GetMessage(running, &field), reflection.GetMessage(edited, &field), path);
      return;
    }
    const std::string before = was ? TextOf(running, field, -1) : "not given";
    const std::string after = is ? TextOf(edited, field, -1) : "nothing";
    if (before != after) {
      Changed(path, before, after);
    }
  }

  void CompareLists(const Message& running, const Message& edited, const FieldDescriptor& field,
                    const std::string& path) {
    const GrowingList rule = RuleOf(field);
    switch (rule.growth) {
      case Growth::kFree:
        return;
      case Growth::kFixed:
        return ComparePlaces(running, edited, field, path);
      case Growth::kAnywhere:
      case Growth::kBehind:
        return CompareNames(running, edited, field, rule, path);
    }
  }

  void ComparePlaces(const Message& running, const Message& edited, const FieldDescriptor& field,
                     const std::string& path) {
    const Reflection& reflection = *running.GetReflection();
    const int was = reflection.FieldSize(running, &field);
    const int is = reflection.FieldSize(edited, &field);
    if (was != is) {
      Changed(path, std::to_string(was) + " long", std::to_string(is) + " values");
      return;
    }
    for (int i = 0; i < was; ++i) {
      CompareElements(running, i, edited, i, field, path);
    }
  }

  void CompareElements(const Message& running, int was, const Message& edited, int is,
                       const FieldDescriptor& field, const std::string& path) {
    const Reflection& reflection = *running.GetReflection();
    if (field.message_type() != nullptr) {
      Compare(reflection.GetRepeatedMessage(running, &field, was),
              reflection.GetRepeatedMessage(edited, &field, is), ElementPath(path, is));
    } else if (TextOf(running, field, was) != TextOf(edited, field, is)) {
      Changed(ElementPath(path, is), TextOf(running, field, was), TextOf(edited, field, is));
    }
  }

  void CompareNames(const Message& running, const Message& edited, const FieldDescriptor& field,
                    const GrowingList& rule, const std::string& path) {
    const Reflection& reflection = *running.GetReflection();
    std::vector<std::string> names;
    for (int i = 0; i < reflection.FieldSize(edited, &field); ++i) {
      names.push_back(NameOf(edited, field, i, rule.name_field));
    }
    for (int i = 0; i < reflection.FieldSize(running, &field); ++i) {
      const std::string name = NameOf(running, field, i, rule.name_field);
      const auto found = std::ranges::find(names, name);
      if (found == names.end()) {
        errors_.push_back({path, "has " + name + " in the running job and not here"});
        continue;
      }
      const auto place = static_cast<int>(found - names.begin());
      if (rule.growth == Growth::kBehind && place != i) {
        errors_.push_back({ElementPath(path, place),
                           name + " is number " + std::to_string(i) +
                               " in the running job, expected it there and what is new behind it"});
      }
      if (field.message_type() != nullptr) {
        CompareElements(running, i, edited, place, field, path);
      }
    }
  }

  std::vector<FieldError> errors_;
};

}  // namespace

std::vector<FieldError> FindChangedFields(const Job& running, const Job& edited) {
  Comparison comparison;
  comparison.Compare(running, edited, "");
  return comparison.Take();
}

}  // namespace antiphon
