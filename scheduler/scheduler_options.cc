#include "scheduler/scheduler_options.h"

namespace antiphon {

Status CheckOptions(const SchedulerOptions& options) {
  if (options.servers == 0) {
    return InvalidArgumentError("--servers is 0, expected at least 1");
  }
  if (options.cluster_id == 0) {
    return InvalidArgumentError("the cluster id is 0, expected a random number");
  }
  if (options.dead_after <= options.heartbeat) {
    return InvalidArgumentError("nodes would be declared dead between two heartbeats");
  }
  return Status();
}

}  // namespace antiphon
