// What `ps_ctl tasks` prints: how each task does in the newest windows and in totals that fade, and
// what is an alarm. Pure.
#pragma once

#include <string>

#include "proto/cluster.pb.h"

namespace antiphon {

// Scenes are listed for the fading totals, windows for all scenes together; JSON has both for both.
std::string TasksText(const ClusterStatus& status);
std::string TasksJson(const ClusterStatus& status);

}  // namespace antiphon
