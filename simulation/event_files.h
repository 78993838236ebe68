// EventFiles: an event stream as logs that grow, one a partition: as folders of segments, unless
// somebody has other logs for them.
//
//   DIR/impressions-0/segment-00000000.csv ...   by user
//   DIR/feedback-0/segment-00000000.csv ...      by impression
//   DIR/events-0/...                             instead of both, by user, when they are together
//   DIR/truth/segment-00000000.csv ...           true probabilities and what will have happened
//
// Events come out of order within a bound, as they do where many machines write one log.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/file_system.h"
#include "common/base/status.h"
#include "simulation/event_log.h"
#include "simulation/event_stream.h"

namespace antiphon {

struct EventFilesOptions {
  std::string directory;
  int partitions = 2;  // of each kind
  bool together = false;
  int64_t segment_events = 20'000;
  double out_of_order_seconds = 2;
  // Event seconds a second; 0: as fast as possible. With a speed, segments also end after
  // `segment_every`.
  double speed = 0;
  Duration segment_every = std::chrono::seconds(1);
};

struct EventFilesCounts {
  int64_t impressions = 0;
  int64_t feedback = 0;
};

// Waits so long, or until there is no sense in waiting: false, and the writing ends early, as it
// would at the end of the stream.
using WaitFor = std::function<bool(Duration)>;

// The logs of the events: those of impressions by user and behind them as many of feedback by
// impression, or all by user where options.together says so.
using EventLogs = std::vector<std::unique_ptr<EventLog>>;

// As WriteEventFiles, but the events go into these logs, and only the truth into the folder.
// kInvalidArgument: there are not as many logs as the options say.
StatusOr<EventFilesCounts> WriteEvents(const Platform& platform, const EventStreamOptions& events,
                                       const EventFilesOptions& options, EventLogs logs,
                                       FileSystem& fs, Clock& clock, const WaitFor& wait);

// Fails when the folder has anything in it.
StatusOr<EventFilesCounts> WriteEventFiles(const Platform& platform,
                                           const EventStreamOptions& events,
                                           const EventFilesOptions& options, FileSystem& fs,
                                           Clock& clock, const WaitFor& wait);

}  // namespace antiphon
