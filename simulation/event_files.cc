#include "simulation/event_files.h"

#include <algorithm>
#include <optional>
#include <queue>
#include <utility>
#include <vector>

#include "common/base/hash.h"
#include "common/base/rng.h"
#include "simulation/segment_log.h"

namespace antiphon {
namespace {

constexpr uint64_t kArrivalStream = 10;

struct Arrival {
  int64_t arrives_ms = 0;
  uint64_t number = 0;  // equal times keep their order
  size_t log = 0;
  std::string line;

  bool operator>(const Arrival& other) const {
    return std::pair(arrives_ms, number) > std::pair(other.arrives_ms, other.number);
  }
};

class EventWriter {
 public:
  EventWriter(const Platform& platform, const EventStreamOptions& events,
              const EventFilesOptions& options, EventLogs logs, std::unique_ptr<EventLog> truth,
              Clock& clock)
      : options_(options),
        clock_(clock),
        stream_(platform, events),
        rng_(Mix64(platform.options().seed, kArrivalStream)),
        truth_{.log = std::move(truth)} {
    for (std::unique_ptr<EventLog>& log : logs) {
      logs_.push_back({.log = std::move(log)});
    }
  }

  StatusOr<EventFilesCounts> Write(const WaitFor& wait) {
    committed_at_ = clock_.Now();
    bool goes_on = true;
    while (goes_on) {
      AP_ASSIGN_OR_RETURN(const bool is_there, ReadAhead());
      if (!is_there) {
        break;
      }
      const int64_t arrives_ms = arrivals_.top().arrives_ms;
      AP_ASSIGN_OR_RETURN(goes_on, WaitUntil(arrives_ms, wait));
      AP_RETURN_IF_ERROR(Deliver());
    }
    for (Part& part : logs_) {
      AP_RETURN_IF_ERROR(part.log->End());
    }
    AP_RETURN_IF_ERROR(truth_.log->End());
    return counts_;
  }

 private:
  struct Part {
    std::unique_ptr<EventLog> log;
    int64_t lines = 0;  // since its last commit
  };

  static Status Commit(Part& part) {
    part.lines = 0;
    return part.log->Commit();
  }

  Status Add(std::string_view line, Part& part) const {
    AP_RETURN_IF_ERROR(part.log->Append(line));
    return ++part.lines < options_.segment_events ? Status() : Commit(part);
  }

  // Draws events until the next arrival is known: whatever is drawn later arrives later.
  StatusOr<bool> ReadAhead() {
    while (!is_drawn_ && (arrivals_.empty() || arrivals_.top().arrives_ms >= drawn_through_ms_)) {
      StreamEvent event;
      std::string line;
      if (!stream_.Next(event, line)) {
        is_drawn_ = true;
        break;
      }
      drawn_through_ms_ = event.time_ms;
      AP_RETURN_IF_ERROR(Note(event, std::move(line)));
    }
    return !arrivals_.empty();
  }

  Status Note(const StreamEvent& event, std::string line) {
    const auto partitions = static_cast<uint64_t>(options_.partitions);
    const bool is_impression = !event.feedback.has_value();
    size_t log = ReduceRange(Mix64(event.user), partitions);
    if (!is_impression && !options_.together) {
      log = partitions + ReduceRange(HashBytes(event.id), partitions);
    }
    if (is_impression) {
      std::string truth;
      stream_.AppendTruth(truth);
      AP_RETURN_IF_ERROR(Add(truth, truth_));
    }
    counts_.impressions += is_impression ? 1 : 0;
    counts_.feedback += is_impression ? 0 : 1;
    const auto late_ms =
        static_cast<int64_t>(rng_.Uniform() * options_.out_of_order_seconds * 1000);
    arrivals_.push({.arrives_ms = event.time_ms + late_ms,
                    .number = next_number_++,
                    .log = log,
                    .line = std::move(line)});
    return Status();
  }

  // Commits what is ready while time passes. False when the waiting was broken off.
  StatusOr<bool> WaitUntil(int64_t arrives_ms, const WaitFor& wait) {
    if (options_.speed <= 0) {
      return true;
    }
    if (!first_ms_.has_value()) {
      first_ms_ = arrives_ms;
      began_at_ = clock_.Now();
    }
    const auto since_first = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(
        static_cast<double>(arrives_ms - *first_ms_) / 1000 / options_.speed));
    while (true) {
      const Time now = clock_.Now();
      if (now - committed_at_ >= options_.segment_every) {
        AP_RETURN_IF_ERROR(CommitAll());
        committed_at_ = now;
      }
      if (now >= began_at_ + since_first) {
        return true;
      }
      if (!wait(std::min(began_at_ + since_first - now, options_.segment_every))) {
        return false;
      }
    }
  }

  Status Deliver() {
    const Arrival& arrival = arrivals_.top();
    const Status added = Add(arrival.line, logs_[arrival.log]);
    arrivals_.pop();
    return added;
  }

  Status CommitAll() {
    for (Part& part : logs_) {
      AP_RETURN_IF_ERROR(Commit(part));
    }
    return Commit(truth_);
  }

  const EventFilesOptions& options_;
  Clock& clock_;
  EventStream stream_;
  Rng rng_;
  std::vector<Part> logs_;
  Part truth_;
  std::priority_queue<Arrival, std::vector<Arrival>, std::greater<>> arrivals_;
  uint64_t next_number_ = 0;
  int64_t drawn_through_ms_ = 0;
  bool is_drawn_ = false;
  std::optional<int64_t> first_ms_;
  Time began_at_{};
  Time committed_at_{};
  EventFilesCounts counts_;
};

size_t LogsOf(const EventFilesOptions& options) {
  return static_cast<size_t>(options.partitions) * (options.together ? 1 : 2);
}

Status Check(const EventStreamOptions& events, const EventFilesOptions& options) {
  if (events.impressions < 1 || options.partitions < 1 || options.segment_events < 1) {
    return InvalidArgumentError("samples, partitions and segment_events must be at least 1");
  }
  if (!(options.out_of_order_seconds >= 0) || !(options.speed >= 0)) {
    return InvalidArgumentError("out_of_order_seconds and speed must be 0 or more");
  }
  return Status();
}

Status CheckIsEmpty(const std::string& folder, FileSystem& fs) {
  AP_RETURN_IF_ERROR(fs.MakeDirectories(folder));
  AP_ASSIGN_OR_RETURN(const std::vector<std::string> present, fs.List(folder));
  if (!present.empty()) {
    return AlreadyExistsError("folder " + folder + " is not empty (it has " + present.front() +
                              "); name another one");
  }
  return Status();
}

}  // namespace

StatusOr<EventFilesCounts> WriteEvents(const Platform& platform, const EventStreamOptions& events,
                                       const EventFilesOptions& options, EventLogs logs,
                                       FileSystem& fs, Clock& clock, const WaitFor& wait) {
  AP_RETURN_IF_ERROR(Check(events, options));
  if (logs.size() != LogsOf(options)) {
    return InvalidArgumentError("there are " + std::to_string(logs.size()) +
                                " partitions for the events, expected " +
                                std::to_string(LogsOf(options)));
  }
  AP_RETURN_IF_ERROR(CheckIsEmpty(options.directory, fs));
  AP_ASSIGN_OR_RETURN(
      std::unique_ptr<SegmentLog> truth,
      SegmentLog::Create(options.directory + "/truth", EventStream::TruthHeader(), fs));
  return EventWriter(platform, events, options, std::move(logs), std::move(truth), clock)
      .Write(wait);
}

StatusOr<EventFilesCounts> WriteEventFiles(const Platform& platform,
                                           const EventStreamOptions& events,
                                           const EventFilesOptions& options, FileSystem& fs,
                                           Clock& clock, const WaitFor& wait) {
  AP_RETURN_IF_ERROR(Check(events, options));
  AP_RETURN_IF_ERROR(CheckIsEmpty(options.directory, fs));
  EventLogs logs;
  for (size_t i = 0; i < LogsOf(options); ++i) {
    const auto partitions = static_cast<size_t>(options.partitions);
    const std::string kind = options.together ? "events"
                             : i < partitions ? "impressions"
                                              : "feedback";
    AP_ASSIGN_OR_RETURN(
        std::unique_ptr<SegmentLog> log,
        SegmentLog::Create(options.directory + "/" + kind + "-" + std::to_string(i % partitions),
                           EventStream::Header(), fs));
    logs.push_back(std::move(log));
  }
  AP_ASSIGN_OR_RETURN(
      std::unique_ptr<SegmentLog> truth,
      SegmentLog::Create(options.directory + "/truth", EventStream::TruthHeader(), fs));
  return EventWriter(platform, events, options, std::move(logs), std::move(truth), clock)
      .Write(wait);
}

}  // namespace antiphon
