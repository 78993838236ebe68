// What people and reports call the state of a job. Pure.
#pragma once

#include "proto/cluster.pb.h"

namespace antiphon {

inline const char* JobStateName(JobState state) {
  switch (state) {
    case JOB_WAITING:
      return "waiting";
    case JOB_RUNNING:
      return "running";
    case JOB_FINISHED:
      return "finished";
    case JOB_FAILED:
      return "failed";
    case JOB_STOPPED:
      return "stopped";
  }
  return "unknown";
}

}  // namespace antiphon
