// JobView: what people are told of a job at one moment: the input of the progress line, the report,
// the event file and ps_ctl's status. Numbers only; built by the scheduler, read by its outputs.
#pragma once

#include <cstdint>
#include <string>

#include "proto/cluster.pb.h"
#include "scheduler/metrics_board.h"

namespace antiphon {

struct JobView {
  JobState state = JOB_WAITING;
  std::string reason;  // of a failure or a stop
  uint32_t servers_expected = 0;
  uint32_t servers = 0;  // that live
  uint32_t workers_expected = 0;
  uint32_t workers = 0;  // that live
  uint64_t samples = 0;  // trained in this run
  uint64_t samples_planned = 0;
  uint64_t replay_samples = 0;  // trained, but some lane has to learn them again
  double seconds = 0;
  double samples_per_second = 0;  // lately
  uint32_t partitions_done = 0;
  uint32_t partitions_total = 0;
  std::string last_snapshot;
  const MetricsBoard* metrics = nullptr;  // null before the job runs
};

}  // namespace antiphon
