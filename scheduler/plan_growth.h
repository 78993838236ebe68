// PlanGrowth: where the tasks and scenes of a plan stand in the plan that it was extended to.
//
// What was added up by task and scene keeps its names when its places change. Frozen.
#pragma once

#include <cstddef>
#include <vector>

#include "common/base/status.h"
#include "proto/metrics.pb.h"
#include "proto/plan.pb.h"
#include "scheduler/task_summary.h"

namespace antiphon {

class PlanGrowth {
 public:
  // `after` has every task and scene of `before`.
  PlanGrowth(const TrainingPlan& before, const TrainingPlan& after);

  // Where entry `index` of SceneSums stands.
  size_t Place(size_t index) const {
    return task_[index / scene_.size()] * scenes_after_ + scene_[index % scene_.size()];
  }
  // The same sums in the places of the later plan; those of new tasks and scenes are empty.
  SceneSums Move(SceneSums sums) const;
  std::vector<TaskSummary> Move(const std::vector<TaskSummary>& tasks) const;

  // What was measured under the earlier plan, told by the later one. kInvalidArgument: it names
  // what the earlier plan does not have.
  Status Move(MetricsDelta& delta) const;

  // By task: `value[i]` goes to the place of task i; what is new gets `fresh`.
  template <typename T>
  std::vector<T> MoveTasks(const std::vector<T>& values, const T& fresh) const {
    std::vector<T> moved(values.empty() ? 0 : tasks_after_, fresh);
    for (size_t i = 0; i < values.size(); ++i) {
      moved[task_[i]] = values[i];
    }
    return moved;
  }

 private:
  std::vector<size_t> task_;   // by the earlier number
  std::vector<size_t> scene_;  // the same; {0} without scenes
  size_t tasks_after_;
  size_t scenes_after_;  // at least 1
};

}  // namespace antiphon
