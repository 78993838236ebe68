// The logs of a platform's events as what a stream reads: segments, Kafka partitions, Redis
// streams.
#pragma once

#include "common/base/clock.h"
#include "common/base/file_system.h"
#include "common/base/status.h"
#include "proto/job.pb.h"
#include "simulation/event_files.h"

namespace antiphon {

// A log for each partition that a reader of `events` would have, in its order. Segments have a
// header where `events` says so. kInvalidArgument: events are lines of CSV and nothing else.
StatusOr<EventLogs> MakeStreamLogs(const DataConfig& events, FileSystem& fs, Clock& clock);

}  // namespace antiphon
