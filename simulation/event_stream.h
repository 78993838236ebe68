// EventStream: what a platform's log would say, event by event: hosts that are shown, and later,
// one by one, what users do about them.
//
// An impression carries its features as they were when it was served, among them counters of the
// last seconds, minutes and hours: nothing that had not happened by then is in them, and nothing
// computes them again. What follows an impression follows after a time of its own, exponential with
// a mean that depends on the task and on the user's device. A pure function of the platform and the
// options. Owned by one thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <queue>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "simulation/platform.h"
#include "simulation/recent_count.h"
#include "simulation/sample_csv.h"

namespace antiphon {

struct EventStreamOptions {
  int64_t impressions = 1'000'000;
  // So much of the period, from its beginning, has all of them; what users do later is not told.
  // 0: the whole period, and all that comes of it.
  double seconds = 0;
  // Mean seconds from the impression to the click, and from the click to the others.
  std::array<double, kTaskCount> mean_delay_seconds = {8, 90, 600, 180, 300};
};

// "click:8,gift:600": those that are named, others as they are. kInvalidArgument names the piece.
Status SetDelays(std::string_view text, EventStreamOptions& options);

struct StreamEvent {
  std::string id;  // of the impression, here and in the feedback on it
  uint32_t user = 0;
  int64_t time_ms = 0;
  std::optional<Task> feedback;  // nothing: an impression
};

// Of an impression: what will have come of it, for the truth's file.
struct ImpressionTruth {
  Impression impression;
  std::array<std::optional<int64_t>, kTaskCount> happens_ms{};
};

class EventStream {
 public:
  // The platform outlives the stream.
  EventStream(const Platform& platform, const EventStreamOptions& options);

  // The names of an event's columns, and one for each counter, with the line's end.
  static std::string Header();
  static std::string TruthHeader();

  // The next event in the order of time, and its line. False after the last one.
  bool Next(StreamEvent& event, std::string& line);

  // Of the impression that Next gave last.
  void AppendTruth(std::string& text) const;

 private:
  struct Pending {
    int64_t time_ms = 0;
    uint64_t number = 0;  // of the impression
    Task task = Task::kClick;
    uint32_t user = 0;
    uint32_t host = 0;

    friend auto operator<=>(const Pending&, const Pending&) = default;
  };
  struct HostCounters {
    RecentCount shown_10s{10'000};
    RecentCount clicks_5m{300'000};
    RecentCount clicks_1h{3'600'000};
    RecentCount gifts_1h{3'600'000};
  };
  struct UserCounters {
    RecentCount shown_5m{300'000};
    RecentCount clicks_1h{3'600'000};
  };

  bool DrawImpression();
  void ScheduleFeedback();
  void GiveImpression(StreamEvent& event, std::string& line);
  void GiveFeedback(StreamEvent& event, std::string& line);
  void AppendCounters(std::string& line);

  const Platform& platform_;
  const EventStreamOptions options_;
  const RequestStream requests_;
  const int64_t until_ms_;  // nothing is told that happens later
  const SampleCsv csv_;
  int64_t next_request_ = 0;
  std::vector<Impression> drawn_;  // of the request at hand
  size_t next_drawn_ = 0;
  bool has_ahead_ = false;  // ahead_ is the impression that comes next
  ImpressionTruth ahead_;
  ImpressionTruth given_;
  int64_t impressions_left_;
  std::priority_queue<Pending, std::vector<Pending>, std::greater<>> pending_;
  std::vector<HostCounters> hosts_;
  std::vector<UserCounters> users_;
};

}  // namespace antiphon
