#include "models/task_targets.h"

#include <algorithm>
#include <string>

#include "common/base/logging.h"
#include "models/model.h"
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
    : losses_(LossSpecs(job.model_config())), reduction_(job.model_config().loss_reduction()) {
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
    task.weight = tower.isolate() == TaskTower::LOSS_MASK ? 0 : tower.weight();
    task.trains_embeddings = tower.isolate() != TaskTower::EMBED_STOP;
    task.positive_weight = tower.positive_weight();
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
  size_t measures = tasks_.size();
  const std::vector<TaskEvent> events = TaskEventsOf(model);
  for (size_t k = 0; k < events.size(); ++k) {
    tasks_[k].ways = events[k].ways;
    if (!tasks_[k].ways.empty()) {
      tasks_[k].conditional = measures++;
    }
  }
  targets_.resize(measures);
  losses_.resize(measures);  // a conditional is a probability
  possible_.resize(tasks_.size());
}

void TaskTargets::Fill(const Batch& batch) {
  for (size_t k = 0; k < tasks_.size(); ++k) {
    FillWeights(batch, tasks_[k], targets_[k]);
    if (tasks_[k].ways.empty()) {
      FillLabels(batch, k);
    } else {
      FillEvent(batch, k);
    }
    targets_[k].divisor = Divisor(batch, k);
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
  TaskTarget& target = targets_[k];
  target.label = batch.labels[tasks_[k].label];
  for (size_t r = 0; r < batch.rows; ++r) {
    if (target.label[r] == kUnknownLabel) {
      target.weight[r] = 0;
    } else if (target.label[r] == 1.0F) {
      target.weight[r] *= tasks_[k].positive_weight;
    }
  }
}

void TaskTargets::FillEvent(const Batch& batch, size_t k) {
  const std::vector<float>& own = batch.labels[tasks_[k].label];
  TaskTarget& target = targets_[k];
  TaskTarget& conditional = targets_[tasks_[k].conditional];
  conditional = target;
  conditional.label = own;
  target.label.resize(batch.rows);
  possible_[k].resize(batch.rows);
  for (size_t r = 0; r < batch.rows; ++r) {
    const float possible = Possible(k, r);
    possible_[k][r] = possible;
    // No click: no conversion, whatever is known of it; unknown: unknown.
    target.label[r] = possible == 1.0F ? own[r] : possible;
    if (target.label[r] == kUnknownLabel) {
      target.weight[r] = 0;
    } else if (target.label[r] == 1.0F) {
      target.weight[r] *= tasks_[k].positive_weight;
    }
    if (possible != 1.0F || own[r] == kUnknownLabel) {
      conditional.weight[r] = 0;
    }
  }
}

// Whether one of the ways to event k came about: 0, 1 or not known.
float TaskTargets::Possible(size_t k, size_t r) const {
  const std::vector<EventWay>& ways = tasks_[k].ways;
  float result = 0;
  for (const EventWay& way : ways) {
    const float before = tasks_[way.event].ways.empty() ? 1.0F : possible_[way.event][r];
    const float happened = targets_[way.event].label[r];
    const EventWay opposite = {way.event, !way.happened};
    float came = happened;
    if (std::find(ways.begin(), ways.end(), opposite) != ways.end()) {
      came = before;  // either will do
    } else if (!way.happened) {
      came =
          before == 1.0F && happened != kUnknownLabel ? 1 - happened : std::min(before, happened);
    }
    if (came == 1.0F) {
      return 1;
    }
    if (came == kUnknownLabel) {
      result = kUnknownLabel;
    }
  }
  return result;
}

bool TaskTargets::has_ranking() const {
  return std::any_of(losses_.begin(), losses_.end(),
                     [](const LossSpec& loss) { return loss.is_ranking(); });
}

double TaskTargets::Divisor(const Batch& batch, size_t k) const {
  const TaskTarget& target = targets_[k];
  const double total = LossWeight(losses_[k],
                                  {.label = target.label.data(),
                                   .weight = target.weight.data(),
                                   .request = batch.request.data()},
                                  batch.rows);
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
