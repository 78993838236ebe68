#include "simulation/event_files.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>
#include <queue>
#include <utility>
#include <vector>

#include "common/base/hash.h"
#include "common/base/rng.h"

namespace antiphon {
namespace {

constexpr uint64_t kArrivalStream = 10;

// The log of one partition.
class SegmentLog {
 public:
  SegmentLog(std::string folder, std::string header)
      : folder_(std::move(folder)), header_(std::move(header)) {}

  Status Begin(FileSystem& fs) { return fs.MakeDirectories(folder_); }

  void Append(const std::string& line) {
    text_ += line;
    ++lines_;
  }
  int64_t lines() const { return lines_; }

  // Ends the segment; nothing happens without lines.
  Status Commit(FileSystem& fs) {
    if (lines_ == 0) {
      return Status();
    }
    std::array<char, 40> name{};
    std::snprintf(name.data(), name.size(), "/segment-%08d.csv", segments_);
    AP_RETURN_IF_ERROR(WriteFileAtomically(fs, folder_ + name.data(), header_ + text_));
    ++segments_;
    text_.clear();
    lines_ = 0;
    return Status();
  }

  Status End(FileSystem& fs) {
    AP_RETURN_IF_ERROR(Commit(fs));
    return WriteFileAtomically(fs, folder_ + "/END", "");
  }

 private:
  std::string folder_;
  std::string header_;
  std::string text_;
  int64_t lines_ = 0;
  int segments_ = 0;
};

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
              const EventFilesOptions& options, FileSystem& fs, Clock& clock)
      : options_(options),
        fs_(fs),
        clock_(clock),
        stream_(platform, events),
        rng_(Mix64(platform.options().seed, kArrivalStream)),
        truth_(options.directory + "/truth", EventStream::TruthHeader()) {
    const auto add = [this](const std::string& kind) {
      for (int i = 0; i < options_.partitions; ++i) {
        logs_.emplace_back(options_.directory + "/" + kind + "-" + std::to_string(i),
                           EventStream::Header());
      }
    };
    add(options_.together ? "events" : "impressions");
    if (!options_.together) {
      add("feedback");
    }
  }

  StatusOr<EventFilesCounts> Write(const WaitFor& wait) {
    for (SegmentLog& log : logs_) {
      AP_RETURN_IF_ERROR(log.Begin(fs_));
    }
    AP_RETURN_IF_ERROR(truth_.Begin(fs_));
    committed_at_ = clock_.Now();
    bool goes_on = true;
    while (goes_on && ReadAhead()) {
      const int64_t arrives_ms = arrivals_.top().arrives_ms;
      AP_ASSIGN_OR_RETURN(goes_on, WaitUntil(arrives_ms, wait));
      AP_RETURN_IF_ERROR(Deliver());
    }
    for (SegmentLog& log : logs_) {
      AP_RETURN_IF_ERROR(log.End(fs_));
    }
    AP_RETURN_IF_ERROR(truth_.End(fs_));
    return counts_;
  }

 private:
  // Draws events until the next arrival is known: whatever is drawn later arrives later.
  bool ReadAhead() {
    while (!is_drawn_ && (arrivals_.empty() || arrivals_.top().arrives_ms >= drawn_through_ms_)) {
      StreamEvent event;
      std::string line;
      if (!stream_.Next(event, line)) {
        is_drawn_ = true;
        break;
      }
      drawn_through_ms_ = event.time_ms;
      Note(event, std::move(line));
    }
    return !arrivals_.empty();
  }

  void Note(const StreamEvent& event, std::string line) {
    const auto partitions = static_cast<uint64_t>(options_.partitions);
    const bool is_impression = !event.feedback.has_value();
    size_t log = ReduceRange(Mix64(event.user), partitions);
    if (!is_impression && !options_.together) {
      log = partitions + ReduceRange(HashBytes(event.id), partitions);
    }
    if (is_impression) {
      std::string truth;
      stream_.AppendTruth(truth);
      truth_.Append(truth);
    }
    counts_.impressions += is_impression ? 1 : 0;
    counts_.feedback += is_impression ? 0 : 1;
    const auto late_ms =
        static_cast<int64_t>(rng_.Uniform() * options_.out_of_order_seconds * 1000);
    arrivals_.push({.arrives_ms = event.time_ms + late_ms,
                    .number = next_number_++,
                    .log = log,
                    .line = std::move(line)});
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
    SegmentLog& log = logs_[arrival.log];
    log.Append(arrival.line);
    arrivals_.pop();
    if (log.lines() >= options_.segment_events) {
      AP_RETURN_IF_ERROR(log.Commit(fs_));
    }
    return truth_.lines() >= options_.segment_events ? truth_.Commit(fs_) : Status();
  }

  Status CommitAll() {
    for (SegmentLog& log : logs_) {
      AP_RETURN_IF_ERROR(log.Commit(fs_));
    }
    return truth_.Commit(fs_);
  }

  const EventFilesOptions& options_;
  FileSystem& fs_;
  Clock& clock_;
  EventStream stream_;
  Rng rng_;
  std::vector<SegmentLog> logs_;
  SegmentLog truth_;
  std::priority_queue<Arrival, std::vector<Arrival>, std::greater<>> arrivals_;
  uint64_t next_number_ = 0;
  int64_t drawn_through_ms_ = 0;
  bool is_drawn_ = false;
  std::optional<int64_t> first_ms_;
  Time began_at_{};
  Time committed_at_{};
  EventFilesCounts counts_;
};

}  // namespace

StatusOr<EventFilesCounts> WriteEventFiles(const Platform& platform,
                                           const EventStreamOptions& events,
                                           const EventFilesOptions& options, FileSystem& fs,
                                           Clock& clock, const WaitFor& wait) {
  if (events.impressions < 1 || options.partitions < 1 || options.segment_events < 1) {
    return InvalidArgumentError("samples, partitions and segment_events must be at least 1");
  }
  if (!(options.out_of_order_seconds >= 0) || !(options.speed >= 0)) {
    return InvalidArgumentError("out_of_order_seconds and speed must be 0 or more");
  }
  AP_RETURN_IF_ERROR(fs.MakeDirectories(options.directory));
  AP_ASSIGN_OR_RETURN(const std::vector<std::string> present, fs.List(options.directory));
  if (!present.empty()) {
    return AlreadyExistsError("folder " + options.directory + " is not empty (it has " +
                              present.front() + "); name another one");
  }
  return EventWriter(platform, events, options, fs, clock).Write(wait);
}

}  // namespace antiphon
