#include "models/job_extension.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/data/feature_columns.h"
#include "common/data/field_checks.h"
#include "common/data/field_error.h"
#include "models/job_difference.h"
#include "models/job_plan.h"
#include "models/model_config.h"

namespace antiphon {
namespace {

// What a line of scene_tasks says, or what a scene without one has.
const SceneTasks& LineOf(const ModelConfig& model, const std::string& scene) {
  for (const SceneTasks& line : model.scene_tasks()) {
    if (line.scene() == scene) {
      return line;
    }
  }
  return SceneTasks::default_instance();
}

bool HasTask(const SceneTasks& line, const std::string& task) {
  return line.tower_names().empty() ||
         std::ranges::find(line.tower_names(), task) != line.tower_names().end();
}

bool ReadsScenes(const Job& job, const FeatureConfig& feature) {
  return job.data_config().has_scene_field() && feature.input_names_size() > 0 &&
         feature.input_names(0) == job.data_config().scene_field();
}

// Everything of an edited job that a running one cannot take.
class ExtensionChecker {
 public:
  ExtensionChecker(const Job& running, const Job& edited) : running_(running), edited_(edited) {}

  std::vector<FieldError> Run() {
    errors_ = FindChangedFields(running_, edited_);
    CheckColumns();
    CheckNewFeatures();
    CheckVocabularies();
    CheckScenesKeepTheirTasks();
    return std::move(errors_);
  }

 private:
  void Add(std::string path, std::string message) {
    errors_.push_back({std::move(path), std::move(message)});
  }

  // Without a header the place of a column in the file is its place in the list.
  void CheckColumns() {
    const DataConfig& data = edited_.data_config();
    if (data.input_type() != DataConfig::CSVInput || data.with_header()) {
      return;
    }
    const auto& before = running_.data_config().input_fields();
    const bool is_same = std::ranges::equal(
        before, data.input_fields(), {}, [](const InputField& field) { return field.input_name(); },
        [](const InputField& field) { return field.input_name(); });
    if (!is_same) {
      Add("data_config.input_fields",
          "is another list of columns than in the running job, whose files have no header; "
          "expected "
          "the same columns in the same order");
    }
  }

  void CheckNewFeatures() {
    const auto& features = edited_.feature_config().features();
    for (int i = running_.feature_config().features_size(); i < features.size(); ++i) {
      if (NeedsFitting(features[i]) || features[i].has_vocab_file()) {
        Add(ElementPath("feature_config.features", i),
            "feature \"" + FeatureName(features[i]) +
                "\" is new and needs a look at data or at a file, which a running job does not "
                "take again; give its vocab_list or its numbers, or hash it");
      }
    }
  }

  void CheckVocabularies() {
    const auto& before = running_.feature_config().features();
    const auto& after = edited_.feature_config().features();
    for (int i = 0; i < std::min(before.size(), after.size()); ++i) {
      if (after[i].vocab_list_size() > before[i].vocab_list_size() &&
          !ReadsScenes(edited_, after[i])) {
        Add(ElementPath("feature_config.features", i) + ".vocab_list",
            "has more values than in the running job; only a feature of the scene field may get "
            "some");
      }
    }
  }

  void CheckScenesKeepTheirTasks() {
    const std::vector<std::string> tasks = TaskNames(running_.model_config());
    for (const std::string& scene : running_.data_config().scenes()) {
      const SceneTasks& before = LineOf(running_.model_config(), scene);
      const SceneTasks& after = LineOf(edited_.model_config(), scene);
      const std::string path = "model_config.scene_tasks";
      for (const std::string& task : tasks) {
        if (HasTask(before, task) != HasTask(after, task)) {
          Add(path, "scene \"" + scene + "\" " + (HasTask(before, task) ? "has" : "does not have") +
                        " task \"" + task + "\" in the running job, which stays");
        }
      }
      const bool is_new_line = !before.has_scene() && after.has_scene();
      if (is_new_line &&
          (before.loss_weight() != after.loss_weight() || after.has_private_group())) {
        Add(path, "scene \"" + scene +
                      "\" has another loss_weight or private_group than in the running job, which "
                      "stays");
      }
    }
  }

  const Job& running_;
  const Job& edited_;
  std::vector<FieldError> errors_;
};

// Some models look at all tasks or scenes at once, in rows or blocks that would have to be wider.
std::vector<FieldError> FindChangedShapes(const ParameterSchema& running,
                                          const ParameterSchema& extended, const Job& edited) {
  std::vector<FieldError> errors;
  const auto add = [&](const std::string& what, const std::string& was, const std::string& is) {
    errors.push_back({"model_config", "a running " + edited.model_config().model_class() +
                                          " cannot be given this: its " + what + " is " + was +
                                          " and would be " + is});
  };
  for (const TableSpec& before : running.tables()) {
    const auto after = std::ranges::find(extended.tables(), before.name(), &TableSpec::name);
    if (after != extended.tables().end() && before.dim() != after->dim()) {
      add("table \"" + before.name() + "\"", std::to_string(before.dim()) + " wide",
          std::to_string(after->dim()));
    }
  }
  const auto shape = [](const BlockSpec& block) {
    return std::to_string(block.rows()) + " x " + std::to_string(block.cols());
  };
  for (const BlockSpec& before : running.blocks()) {
    const auto after = std::ranges::find(extended.blocks(), before.name(), &BlockSpec::name);
    if (after == extended.blocks().end()) {
      add("dense block \"" + before.name() + "\"", shape(before), "gone");
    } else if (!before.has_loss_balance() && shape(before) != shape(*after)) {
      add("dense block \"" + before.name() + "\"", shape(before), shape(*after));
    }
  }
  return errors;
}

// A vocabulary of the scene field that was fitted learns the scenes that are new; features that are
// new have nothing to learn.
void ContinueFeatures(const TrainingPlan& running, const Job& edited, TrainingPlan& extended) {
  *extended.mutable_features() = running.features();
  for (int i = 0; i < edited.feature_config().features_size(); ++i) {
    const FeatureConfig& feature = edited.feature_config().features(i);
    if (i == extended.features_size()) {
      extended.add_features()->set_feature_name(FeatureName(feature));
      continue;
    }
    FeatureStatistics& fitted = *extended.mutable_features(i);
    if (!feature.vocab_from_data() || !ReadsScenes(edited, feature)) {
      continue;
    }
    const std::set<std::string> known(fitted.vocabulary().begin(), fitted.vocabulary().end());
    for (const std::string& scene : edited.data_config().scenes()) {
      if (!known.contains(scene)) {
        fitted.add_vocabulary(scene);
      }
    }
  }
}

}  // namespace

StatusOr<TrainingPlan> ExtendPlan(const TrainingPlan& running, const JobFile& edited) {
  AP_ASSIGN_OR_RETURN(const Job running_job, JobOfPlan(running));
  std::vector<FieldError> errors = ExtensionChecker(running_job, edited.job).Run();
  TrainingPlan extended;
  if (errors.empty()) {
    AP_ASSIGN_OR_RETURN(extended, PlanWithoutData(edited.job));
    errors = FindChangedShapes(running.schema(), extended.schema(), edited.job);
  }
  if (!errors.empty()) {
    return InvalidArgumentError(
        edited.locations.Describe(errors) +
        "\na running job can be given scenes and tasks, and nothing else of it changes; for "
        "anything else take a snapshot, stop the job and begin again with --restore");
  }
  ContinueFeatures(running, edited.job, extended);
  *extended.mutable_partitions() = running.partitions();
  return extended;
}

}  // namespace antiphon
