#include "models/task_targets.h"

#include <algorithm>
#include <string>

#include "common/base/logging.h"
#include "models/model_config.h"

namespace antiphon {
namespace {

uint32_t ColumnOf(const LabelColumns& labels, const std::string& name) {
  const auto found = std::find(labels.names.begin(), labels.names.end(), name);
  CHECK(found != labels.names.end()) << name;
  return static_cast<uint32_t>(found - labels.names.begin());
}

bool HasTask(const SceneTasks& line, const std::string& tower) {
  return line.tower_names_size() == 0 ||
         std::find(line.tower_names().begin(), line.tower_names().end(), tower) !=
             line.tower_names().end();
}

}  // namespace

TaskTargets::TaskTargets(const Job& job)
    : reduction_(job.model_config().loss_reduction()),
      is_funnel_(job.model_config().model_class() == "ESMM") {
  const ModelConfig& model = job.model_config();
  const DataConfig& data = job.data_config();
  const LabelColumns labels = ModelLabels(model);
  const auto scenes = static_cast<size_t>(data.scenes_size());
  scene_weight_.assign(scenes, 1);
  for (const TowerRef& ref : Towers(model)) {
    const TaskTower& tower = *ref.tower;
    Task task;
    task.label = ColumnOf(labels, tower.label_name());
    if (tower.has_task_space_indicator_label()) {
      task.indicator = static_cast<int32_t>(ColumnOf(labels, tower.task_space_indicator_label()));
    }
    task.in_weight = tower.in_task_space_weight();
    task.out_weight = tower.out_task_space_weight();
    task.weight = tower.weight();
    task.in_scene.assign(scenes, 1);
    tasks_.push_back(std::move(task));
  }
  for (const SceneTasks& line : model.scene_tasks()) {
    const auto scene =
        static_cast<size_t>(std::find(data.scenes().begin(), data.scenes().end(), line.scene()) -
                            data.scenes().begin());
    CHECK_LT(scene, scenes) << line.scene();
    scene_weight_[scene] = line.loss_weight();
    const std::vector<std::string> names = TaskNames(model);
    for (size_t k = 0; k < tasks_.size(); ++k) {
      tasks_[k].in_scene[scene] = HasTask(line, names[k]) ? 1 : 0;
    }
  }
  targets_.resize(tasks_.size());
}

void TaskTargets::Fill(const Batch& batch) {
  for (size_t k = 0; k < tasks_.size(); ++k) {
    FillWeights(batch, tasks_[k], targets_[k]);
    FillLabels(batch, k);
    targets_[k].divisor = Divisor(targets_[k]);
  }
}

void TaskTargets::FillWeights(const Batch& batch, const Task& task, TaskTarget& target) const {
  target.weight.resize(batch.rows);
  for (size_t r = 0; r < batch.rows; ++r) {
    float weight = batch.sample_weight.empty() ? 1.0F : batch.sample_weight[r];
    if (!batch.scene.empty()) {
      const uint32_t scene = batch.scene[r];
      const bool takes_part = scene != kUnlistedScene && task.in_scene[scene] != 0;
      weight = takes_part ? weight * scene_weight_[scene] : 0;
    }
    if (task.indicator >= 0) {
      const bool inside = batch.labels[static_cast<size_t>(task.indicator)][r] == 1.0F;
      weight *= inside ? task.in_weight : task.out_weight;
    }
    target.weight[r] = weight;
  }
}

void TaskTargets::FillLabels(const Batch& batch, size_t k) {
  const std::vector<float>& label = batch.labels[tasks_[k].label];
  const std::vector<float>& first = batch.labels[tasks_[0].label];
  TaskTarget& target = targets_[k];
  target.label.resize(batch.rows);
  for (size_t r = 0; r < batch.rows; ++r) {
    float value = label[r];
    if (is_funnel_ && k == 1 && first[r] != 1.0F) {
      value = first[r];  // no click: no conversion, whatever is known of it; unknown: unknown
    }
    target.label[r] = value;
    if (value == kUnknownLabel) {
      target.weight[r] = 0;
    }
  }
}

double TaskTargets::Divisor(const TaskTarget& target) const {
  double total = 0;
  for (const float weight : target.weight) {
    total += weight;
  }
  if (!(total > 0)) {
    return 0;
  }
  switch (reduction_) {
    case ModelConfig::BY_COUNT:
      return total;
    case ModelConfig::BY_BATCH:
      return static_cast<double>(target.weight.size());
    case ModelConfig::SUM:
      return 1;
  }
  return 1;
}

}  // namespace antiphon
