// Impression: one host shown to one user, how likely each task was, and what happened.
//
// Pointers lead into the Platform that drew the impression and live as long as it does.
#pragma once

#include <array>
#include <cstdint>

#include "simulation/calendar.h"
#include "simulation/hosts.h"
#include "simulation/scene.h"
#include "simulation/task.h"
#include "simulation/users.h"

namespace antiphon {

inline constexpr int kImpressionsPerRequest = 4;

// What is shown to whom, where and when: everything that the truth depends on.
struct Showing {
  const User* user = nullptr;
  const Host* host = nullptr;
  int avatar = 0;  // index in host->avatars
  int text = 0;    // index in host->texts
  Scene scene = Scene::kHome;
  Moment moment;
  int position = 0;  // in its request, from the top
};

// True probabilities. Tasks other than the click are independent of each other given the click.
struct Chances {
  double click = 0;
  TaskValues after_click{};  // given the click; 1 for the click itself

  // Of the task among all impressions.
  double Of(Task task) const { return click * after_click[static_cast<size_t>(task)]; }
};

struct Impression {
  uint64_t request_id = 0;
  Showing showing;
  Chances chances;
  std::array<bool, kTaskCount> labels{};
};

}  // namespace antiphon
