// Task: what a user may do about a host that is shown. Everything but the click needs the click
// first. The names are those of the CSV's label columns.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "simulation/scene.h"

namespace antiphon {

enum class Task { kClick = 0, kLongWatch = 1, kGift = 2, kComment = 3, kFollow = 4 };

inline constexpr int kTaskCount = 5;

inline constexpr std::array<Task, kTaskCount> kTasks = {Task::kClick, Task::kLongWatch, Task::kGift,
                                                        Task::kComment, Task::kFollow};

// "click", "long_watch", "gift", "comment" or "follow".
std::string_view TaskName(Task task);

// The task of that name, if there is one.
std::optional<Task> TaskNamed(std::string_view name);

// How often it happens in the scene, averaged over the platform's traffic: clicks among
// impressions, everything else among clicks.
double TargetRate(Task task, Scene scene);

}  // namespace antiphon
