#include "models/model_config_check.h"

#include <algorithm>
#include <set>
#include <string>

#include <google/protobuf/descriptor.h>

#include "common/base/text.h"
#include "common/data/feature_columns.h"
#include "common/data/field_checks.h"
#include "models/feature_group_check.h"
#include "models/loss_check.h"
#include "models/model.h"
#include "models/model_checks.h"
#include "models/model_config.h"
#include "models/pair_fields.h"
#include "models/triplet_input.h"
#include "models/watch_check.h"

namespace antiphon {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Reflection;

constexpr float kMaxTaskWeight = 1e6F;

// Collects errors in the order of the schema's messages.
class ModelChecker {
 public:
  explicit ModelChecker(const Job& job) : job_(job), model_(job.model_config()) {
    for (const std::string& label : job.data_config().label_fields()) {
      labels_.push_back(label);
    }
    for (const Label& label : job.data_config().labels()) {
      labels_.push_back(label.label_name());
    }
  }

  std::vector<FieldError> Run() {
    if (!job_.has_model_config()) {
      checks_.Add("model_config", "is missing, expected the model to train");
      return checks_.Take();
    }
    const FieldDescriptor* field = FindModelField(model_.model_class());
    if (field == nullptr) {
      CheckClass();
      return checks_.Take();
    }
    CheckFeatureGroups(job_, checks_);
    if (CheckOneMessage(*field)) {
      CheckModelMessage(model_, {job_, "model_config." + field->name(), checks_});
    }
    CheckTowers();
    CheckFm(*field);
    CheckTriplet();
    CheckLosses(job_, checks_);
    CheckWatch(job_, checks_);
    CheckScenes();
    return checks_.Take();
  }

 private:
  void CheckClass() {
    std::vector<std::string> names;
    for (const ModelField& known : ModelFields()) {
      names.push_back(known.model_class);
    }
    checks_.Known("model_config.model_class", model_.model_class(), "model class", names);
  }

  // The class has its message and no other, which would do nothing.
  bool CheckOneMessage(const FieldDescriptor& own) {
    const Reflection& reflection = *ModelConfig::GetReflection();
    for (const ModelField& other : ModelFields()) {
      if (other.field != &own && reflection.HasField(model_, other.field)) {
        checks_.Add("model_config." + other.field->name(),
                    "is not read by model_class \"" + model_.model_class() + "\"");
      }
    }
    const bool is_there = reflection.HasField(model_, &own);
    if (!is_there) {
      checks_.Add("model_config." + own.name(),
                  "is missing, expected it for model_class \"" + model_.model_class() + "\"");
    }
    return is_there;
  }

  void CheckTowers() {
    const std::vector<TowerRef> towers = Towers(model_);
    if (towers.empty()) {
      checks_.Add("model_config", "has no task_towers, expected one a task");
    }
    std::set<std::string> names;
    for (const TowerRef& ref : towers) {
      const TaskTower& tower = *ref.tower;
      if (tower.tower_name().empty() || !names.insert(tower.tower_name()).second) {
        checks_.Add(ref.path + ".tower_name", "\"" + tower.tower_name() +
                                                  "\" is empty or used twice, expected a name "
                                                  "of its own for each task");
      }
      CheckTower(ref);
    }
  }

  void CheckTower(const TowerRef& ref) {
    const TaskTower& tower = *ref.tower;
    checks_.Known(ref.path + ".label_name", tower.label_name(), "label", labels_);
    if (tower.has_task_space_indicator_label()) {
      checks_.Known(ref.path + ".task_space_indicator_label", tower.task_space_indicator_label(),
                    "label", labels_);
    }
    checks_.Range(ref.path + ".weight", double{tower.weight()}, 0, kMaxTaskWeight);
    checks_.Range(ref.path + ".in_task_space_weight", double{tower.in_task_space_weight()}, 0,
                  kMaxTaskWeight);
    checks_.Range(ref.path + ".out_task_space_weight", double{tower.out_task_space_weight()}, 0,
                  kMaxTaskWeight);
    CheckLayers(ref.path + ".dnn", tower.dnn(), Layers::kOptional, checks_);
  }

  void CheckFm(const FieldDescriptor& own) {
    if (!model_.has_fm()) {
      return;
    }
    ModelConfig plain = model_;
    plain.clear_fm();
    if (RowPartsOf(plain).linear > 0) {
      checks_.Add("model_config.fm", "is not read by model_class \"" + model_.model_class() +
                                         "\", which has weights of its own");
      return;
    }
    const std::string path = "model_config.fm";
    PairFields::Check({job_, path, checks_});
    if (model_.fm().has_linear_optimizer_config()) {
      checks_.Optimizer(path + ".linear_optimizer_config", model_.fm().linear_optimizer_config());
    }
    for (const TaskEvent& event : TaskEventsOf(plain)) {
      if (model_.fm().mode() == Fm::LOGIT && event.ways.size() > 1) {
        checks_.Add(path + ".mode",
                    "got LOGIT, expected BI_VECTOR or KERNEL: an event of model_config." +
                        own.name() + " has several towers");
        return;
      }
    }
  }

  void CheckTriplet() {
    if (!model_.has_triplet()) {
      return;
    }
    const std::string path = "model_config.triplet";
    if (!RowPartsOf(model_).embedding) {
      checks_.Add(path, "is not read by model_class \"" + model_.model_class() +
                            "\", which has no embeddings to project");
      return;
    }
    TripletInput::Check(model_.triplet(), {job_, path, checks_});
  }

  void CheckScenes() {
    const std::vector<std::string> scenes(job_.data_config().scenes().begin(),
                                          job_.data_config().scenes().end());
    const std::vector<std::string> tasks = TaskNames(model_);
    std::set<std::string> seen;
    for (int i = 0; i < model_.scene_tasks_size(); ++i) {
      const std::string path = ElementPath("model_config.scene_tasks", i);
      const SceneTasks& line = model_.scene_tasks(i);
      checks_.Known(path + ".scene", line.scene(), "scene", scenes);
      if (!seen.insert(line.scene()).second) {
        checks_.Add(path + ".scene", "scene \"" + line.scene() + "\" has a line already");
      }
      for (int j = 0; j < line.tower_names_size(); ++j) {
        checks_.Known(ElementPath(path + ".tower_names", j), line.tower_names(j), "task tower",
                      tasks);
      }
      checks_.Range(path + ".loss_weight", double{line.loss_weight()}, 0, kMaxTaskWeight);
      CheckPrivateGroup(line, path + ".private_group");
    }
  }

  void CheckPrivateGroup(const SceneTasks& line, const std::string& path) {
    if (!line.has_private_group()) {
      return;
    }
    std::vector<std::string> groups;
    for (const FeatureGroup& group : model_.feature_groups()) {
      groups.push_back(group.group_name());
    }
    checks_.Known(path, line.private_group(), "feature group", groups);
    if (!model_.ums().has_private_dnn()) {
      checks_.Add(path, "is read by model_class \"UMS\" with a private_dnn only");
    }
  }

  const Job& job_;
  const ModelConfig& model_;
  std::vector<std::string> labels_;
  FieldChecks checks_;
};

}  // namespace

std::vector<FieldError> CheckModelConfig(const Job& job) {
  return ModelChecker(job).Run();
}

}  // namespace antiphon
