#include "scheduler/plan_growth.h"

#include <algorithm>
#include <string>
#include <utility>

#include "common/base/logging.h"

namespace antiphon {
namespace {

using Names = google::protobuf::RepeatedPtrField<std::string>;

std::vector<size_t> Places(const Names& before, const Names& after) {
  std::vector<size_t> places;
  for (const std::string& name : before) {
    const auto found = std::ranges::find(after, name);
    CHECK(found != after.end()) << name;
    places.push_back(static_cast<size_t>(found - after.begin()));
  }
  return places;
}

}  // namespace

PlanGrowth::PlanGrowth(const TrainingPlan& before, const TrainingPlan& after)
    : task_(Places(before.tasks(), after.tasks())),
      scene_(Places(before.scenes(), after.scenes())),
      tasks_after_(static_cast<size_t>(after.tasks_size())),
      scenes_after_(SceneCount(after)) {
  if (scene_.empty()) {
    scene_.push_back(0);
  }
}

SceneSums PlanGrowth::Move(SceneSums sums) const {
  SceneSums moved(tasks_after_ * scenes_after_);
  for (size_t i = 0; i < sums.size(); ++i) {
    moved[Place(i)] = std::move(sums[i]);
  }
  return moved;
}

Status PlanGrowth::Move(MetricsDelta& delta) const {
  const auto unknown = [](const std::string& what, uint32_t number) {
    return InvalidArgumentError("metrics of " + what + " " + std::to_string(number) +
                                ", which the plan that they were measured under does not have");
  };
  for (TaskMetrics& part : *delta.mutable_tasks()) {
    if (part.task() >= task_.size()) {
      return unknown("task", part.task());
    }
    if (part.scene() >= scene_.size()) {
      return unknown("scene", part.scene());
    }
    part.set_task(static_cast<uint32_t>(task_[part.task()]));
    part.set_scene(static_cast<uint32_t>(scene_[part.scene()]));
  }
  for (TaskWeight& weight : *delta.mutable_task_weights()) {
    if (weight.task() >= task_.size()) {
      return unknown("task", weight.task());
    }
    weight.set_task(static_cast<uint32_t>(task_[weight.task()]));
  }
  return Status();
}

std::vector<TaskSummary> PlanGrowth::Move(const std::vector<TaskSummary>& tasks) const {
  TaskSummary fresh;
  const bool has_scenes = !tasks.empty() && !tasks.front().scenes.empty();
  fresh.scenes.resize(has_scenes ? scenes_after_ : 0);
  std::vector<TaskSummary> moved = MoveTasks(tasks, fresh);
  for (size_t i = 0; i < tasks.size(); ++i) {
    TaskSummary& task = moved[task_[i]];
    task.scenes = fresh.scenes;
    for (size_t scene = 0; scene < tasks[i].scenes.size(); ++scene) {
      task.scenes[scene_[scene]] = tasks[i].scenes[scene];
    }
  }
  return moved;
}

}  // namespace antiphon
