#include "simulation/task.h"

namespace antiphon {
namespace {

struct TaskFacts {
  std::string_view name;
  std::array<double, kSceneCount> rate;  // song page, home, live tab, playlist
};

constexpr std::array<TaskFacts, kTaskCount> kFacts = {{
    {"click", {0.070, 0.090, 0.140, 0.080}},
    {"long_watch", {0.270, 0.290, 0.340, 0.300}},
    {"gift", {0.012, 0.014, 0.019, 0.013}},
    {"comment", {0.026, 0.029, 0.035, 0.028}},
    {"follow", {0.018, 0.020, 0.023, 0.019}},
}};

}  // namespace

std::string_view TaskName(Task task) {
  return kFacts.at(static_cast<size_t>(task)).name;
}

std::optional<Task> TaskNamed(std::string_view name) {
  for (const Task task : kTasks) {
    if (TaskName(task) == name) {
      return task;
    }
  }
  return std::nullopt;
}

double TargetRate(Task task, Scene scene) {
  return kFacts.at(static_cast<size_t>(task)).rate.at(static_cast<size_t>(scene));
}

}  // namespace antiphon
