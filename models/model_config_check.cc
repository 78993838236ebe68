#include "models/model_config_check.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>
#include <string>

#include "common/base/text.h"
#include "common/data/feature_columns.h"
#include "common/data/field_checks.h"
#include "models/model_config.h"

namespace antiphon {
namespace {

constexpr uint64_t kMaxUnits = 65536;
constexpr uint64_t kMaxExperts = 1024;
constexpr int kMaxLayers = 64;
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
    const std::optional<ModelClass> model_class = ParseModelClass(model_.model_class());
    if (!model_class.has_value()) {
      checks_.Known("model_config.model_class", model_.model_class(), "model class",
                    ModelClassNames());
      return checks_.Take();
    }
    CheckGroups(*model_class);
    CheckOneMessage(*model_class);
    CheckNetwork(*model_class);
    CheckTowers(*model_class);
    CheckScenes();
    return checks_.Take();
  }

 private:
  void CheckGroups(ModelClass model_class) {
    const auto& features = job_.feature_config().features();
    std::vector<std::string> names;
    for (const FeatureConfig& feature : features) {
      names.push_back(FeatureName(feature));
    }
    if (model_.feature_groups_size() == 0) {
      checks_.Add("model_config.feature_groups", "is missing, expected the model's features");
    }
    std::set<std::string> used;
    std::vector<std::string> groups;
    for (int g = 0; g < model_.feature_groups_size(); ++g) {
      const std::string path = ElementPath("model_config.feature_groups", g);
      const FeatureGroup& group = model_.feature_groups(g);
      groups.push_back(group.group_name());
      if (group.feature_names_size() == 0) {
        checks_.Add(path + ".feature_names", "is empty, expected features");
      }
      for (int i = 0; i < group.feature_names_size(); ++i) {
        const std::string& name = group.feature_names(i);
        const std::string field = ElementPath(path + ".feature_names", i);
        checks_.Known(field, name, "feature", names);
        if (!used.insert(name).second) {
          checks_.Add(field, "feature \"" + name + "\" is used twice, expected once");
        }
      }
    }
    checks_.Distinct("model_config.feature_groups", groups);
    for (int i = 0; i < features.size(); ++i) {
      CheckUse(i, used, model_class);
    }
  }

  void CheckUse(int index, const std::set<std::string>& used, ModelClass model_class) {
    const FeatureConfig& feature = job_.feature_config().features(index);
    const std::string path = ElementPath("feature_config.features", index);
    const std::string& name = FeatureName(feature);
    if (!used.contains(name)) {
      checks_.Add(path, "feature \"" + name +
                            "\" is in no feature group, expected it in one of "
                            "model_config.feature_groups or not at all");
    }
    const auto tasks = static_cast<uint32_t>(model_.lr().task_towers_size());
    if (model_class == ModelClass::kLr && IsCategorical(feature) &&
        feature.embedding_dim() != tasks) {
      checks_.Add(path + ".embedding_dim",
                  GotExpected(std::to_string(feature.embedding_dim()),
                              std::to_string(tasks) + ": LR has one weight a task"));
    }
  }

  // A message of another model would do nothing.
  void CheckOneMessage(ModelClass model_class) {
    const struct {
      ModelClass model_class;
      const char* field;
      bool is_set;
    } messages[] = {{ModelClass::kLr, "lr", model_.has_lr()},
                    {ModelClass::kDnn, "dnn_model", model_.has_dnn_model()},
                    {ModelClass::kSharedBottom, "shared_bottom", model_.has_shared_bottom()},
                    {ModelClass::kMmoe, "mmoe", model_.has_mmoe()},
                    {ModelClass::kEsmm, "esmm", model_.has_esmm()}};
    for (const auto& message : messages) {
      const std::string path = std::string("model_config.") + message.field;
      if (message.is_set && message.model_class != model_class) {
        checks_.Add(path, "is not read by model_class \"" + model_.model_class() + "\"");
      }
      if (!message.is_set && message.model_class == model_class) {
        checks_.Add(path,
                    "is missing, expected it for model_class \"" + model_.model_class() + "\"");
      }
    }
  }

  // What each class has besides its towers.
  void CheckNetwork(ModelClass model_class) {
    if (model_class == ModelClass::kSharedBottom && model_.has_shared_bottom()) {
      CheckLayers(model_.shared_bottom().bottom_dnn(), "model_config.shared_bottom.bottom_dnn",
                  Layers::kNeeded);
    }
    if (model_class == ModelClass::kMmoe && model_.has_mmoe()) {
      CheckLayers(model_.mmoe().expert_dnn(), "model_config.mmoe.expert_dnn", Layers::kNeeded);
      checks_.Range("model_config.mmoe.num_expert", uint64_t{model_.mmoe().num_expert()}, 1,
                    kMaxExperts);
    }
    if (model_class == ModelClass::kEsmm && model_.esmm().has_bottom_dnn()) {
      CheckLayers(model_.esmm().bottom_dnn(), "model_config.esmm.bottom_dnn", Layers::kNeeded);
    }
  }

  enum class Layers { kOptional, kNeeded };
  void CheckLayers(const DNN& dnn, const std::string& path, Layers need) {
    const int layers = dnn.hidden_units_size();
    if (layers > kMaxLayers || (layers == 0 && need == Layers::kNeeded)) {
      checks_.Add(path + ".hidden_units", GotExpected(std::to_string(layers) + " layers",
                                                      "1 to " + std::to_string(kMaxLayers)));
    }
    for (int i = 0; i < layers; ++i) {
      checks_.Range(ElementPath(path + ".hidden_units", i), uint64_t{dnn.hidden_units(i)}, 1,
                    kMaxUnits);
    }
    const int ratios = dnn.dropout_ratio_size();
    if (ratios > 1 && ratios != layers) {
      checks_.Add(path + ".dropout_ratio", GotExpected(std::to_string(ratios) + " ratios",
                                                       "none, one, or one for each of " +
                                                           std::to_string(layers) + " layers"));
    }
    for (int i = 0; i < ratios; ++i) {
      const float ratio = dnn.dropout_ratio(i);
      if (!(ratio >= 0 && ratio < 1)) {
        checks_.Add(ElementPath(path + ".dropout_ratio", i),
                    GotExpected(NumberText(ratio), "at least 0 and below 1"));
      }
    }
    if (!ParseActivation(dnn.activation()).has_value()) {
      checks_.Known(path + ".activation", dnn.activation(), "activation",
                    {"linear", "relu", "sigmoid", "tanh", "prelu"});
    }
  }

  void CheckTowers(ModelClass model_class) {
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
      CheckTower(ref, model_class);
    }
  }

  void CheckTower(const TowerRef& ref, ModelClass model_class) {
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
    if (model_class == ModelClass::kLr && tower.has_dnn()) {
      checks_.Add(ref.path + ".dnn", "is not read by model_class \"LR\"");
    } else {
      CheckLayers(tower.dnn(), ref.path + ".dnn", Layers::kOptional);
    }
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
