#include "simulation/event_stream.h"

#include <charconv>
#include <cmath>
#include <limits>

#include "common/base/hash.h"
#include "common/base/rng.h"
#include "common/base/text.h"

namespace antiphon {
namespace {

constexpr uint64_t kDelayStream = 9;

// Of the mean delay, by device: android, ios, web.
constexpr std::array<double, kDeviceCount> kPace = {1.0, 0.7, 1.6};

constexpr std::string_view kCounterNames =
    "host_shown_10s,host_clicks_5m,host_clicks_1h,host_gifts_1h,user_shown_5m,user_clicks_1h";
constexpr size_t kCounters = 6;

// Commas of the columns that feedback leaves empty.
size_t EmptyColumns() {
  size_t commas = kCounters;
  for (const char c : SampleCsv::FeatureHeader()) {
    commas += c == ',' ? 1 : 0;
  }
  return commas;
}

uint64_t ImpressionNumber(const Impression& impression) {
  return impression.request_id * kImpressionsPerRequest +
         static_cast<uint64_t>(impression.showing.position);
}

void AppendNumber(int64_t number, std::string& text) {
  std::array<char, 24> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  text.append(digits.data(), end);
}

}  // namespace

Status SetDelays(std::string_view text, EventStreamOptions& options) {
  for (const std::string_view piece : Split(text, ",")) {
    const std::vector<std::string_view> sides = Split(piece, ":");
    const std::optional<Task> task = TaskNamed(sides[0]);
    const std::optional<double> seconds =
        sides.size() == 2 ? ParseFloat(sides[1]) : std::optional<double>();
    if (!task.has_value() || !seconds.has_value() || *seconds <= 0) {
      return InvalidArgumentError("delays: \"" + std::string(piece) +
                                  "\", expected TASK:SECONDS, such as gift:600");
    }
    options.mean_delay_seconds[static_cast<size_t>(*task)] = *seconds;
  }
  return Status();
}

EventStream::EventStream(const Platform& platform, const EventStreamOptions& options)
    : platform_(platform),
      options_(options),
      requests_(
          {.requests = (options.impressions + kImpressionsPerRequest - 1) / kImpressionsPerRequest,
           .end = options.seconds > 0 ? platform.calendar().ProgressAfter(options.seconds) : 1}),
      until_ms_(options.seconds > 0
                    ? platform.calendar().begin_ms() + static_cast<int64_t>(options.seconds * 1000)
                    : std::numeric_limits<int64_t>::max()),
      csv_(platform),
      impressions_left_(options.impressions),
      hosts_(platform.hosts().size()),
      users_(platform.users().all().size()) {}

std::string EventStream::Header() {
  std::string header = "request_id,time_ms,kind,value,";
  header.append(SampleCsv::FeatureHeader()).append(",").append(kCounterNames).append("\n");
  return header;
}

std::string EventStream::TruthHeader() {
  std::string header = "request_id,time_ms,scene";
  for (const Task task : kTasks) {
    header.append(",p_").append(TaskName(task));
  }
  for (const Task task : kTasks) {
    header.append(",").append(TaskName(task)).append("_ms");
  }
  return header + "\n";
}

bool EventStream::DrawImpression() {
  if (impressions_left_ == 0) {
    return false;
  }
  if (next_drawn_ == drawn_.size()) {
    platform_.DrawRequest(requests_, next_request_++, drawn_);
    next_drawn_ = 0;
  }
  --impressions_left_;
  ahead_.impression = drawn_[next_drawn_++];
  return true;
}

void EventStream::ScheduleFeedback() {
  const Impression& impression = ahead_.impression;
  const uint64_t number = ImpressionNumber(impression);
  Rng rng(Mix64(Mix64(platform_.options().seed, kDelayStream), number));
  const double pace = kPace[static_cast<size_t>(impression.showing.user->device)];
  ahead_.happens_ms = {};
  int64_t click_ms = 0;
  for (size_t t = 0; t < impression.labels.size(); ++t) {
    // Drawn whether it happens or not, so that one task's delay does not depend on another's label.
    const double delay_seconds =
        -std::log(1.0 - rng.Uniform()) * pace * options_.mean_delay_seconds[t];
    const auto delay_ms = static_cast<int64_t>(delay_seconds * 1000);
    if (kTasks[t] == Task::kClick) {
      click_ms = impression.showing.moment.time_ms + delay_ms;
    }
    if (!impression.labels[t]) {
      continue;
    }
    const int64_t happens_ms = kTasks[t] == Task::kClick ? click_ms : click_ms + delay_ms;
    ahead_.happens_ms[t] = happens_ms;
    pending_.push({.time_ms = happens_ms,
                   .number = number,
                   .task = kTasks[t],
                   .user = impression.showing.user->id,
                   .host = impression.showing.host->id});
  }
}

bool EventStream::Next(StreamEvent& event, std::string& line) {
  line.clear();
  if (!has_ahead_) {
    has_ahead_ = DrawImpression();
  }
  const bool feedback_first =
      !pending_.empty() &&
      (!has_ahead_ || pending_.top().time_ms <= ahead_.impression.showing.moment.time_ms);
  if (feedback_first) {
    if (pending_.top().time_ms > until_ms_) {
      return false;
    }
    GiveFeedback(event, line);
    return true;
  }
  if (!has_ahead_) {
    return false;
  }
  ScheduleFeedback();
  GiveImpression(event, line);
  has_ahead_ = false;
  return true;
}

void EventStream::GiveImpression(StreamEvent& event, std::string& line) {
  given_ = ahead_;
  const Showing& showing = given_.impression.showing;
  event.id = std::to_string(ImpressionNumber(given_.impression));
  event.user = showing.user->id;
  event.time_ms = showing.moment.time_ms;
  event.feedback = std::nullopt;
  line.append(event.id).append(",");
  AppendNumber(event.time_ms, line);
  line.append(",impression,,");
  csv_.AppendFeatures(given_.impression, line);
  AppendCounters(line);
  line.push_back('\n');
  hosts_[showing.host->id].shown_10s.Add(event.time_ms);
  users_[showing.user->id].shown_5m.Add(event.time_ms);
}

void EventStream::AppendCounters(std::string& line) {
  const Showing& showing = given_.impression.showing;
  const int64_t now_ms = showing.moment.time_ms;
  HostCounters& host = hosts_[showing.host->id];
  UserCounters& user = users_[showing.user->id];
  for (RecentCount* const counter : {&host.shown_10s, &host.clicks_5m, &host.clicks_1h,
                                     &host.gifts_1h, &user.shown_5m, &user.clicks_1h}) {
    line.push_back(',');
    AppendNumber(counter->At(now_ms), line);
  }
}

void EventStream::GiveFeedback(StreamEvent& event, std::string& line) {
  static const size_t empty_columns = EmptyColumns();
  const Pending pending = pending_.top();
  pending_.pop();
  event.id = std::to_string(pending.number);
  event.user = pending.user;
  event.time_ms = pending.time_ms;
  event.feedback = pending.task;
  line.append(event.id).append(",");
  AppendNumber(event.time_ms, line);
  line.append(",").append(TaskName(pending.task)).append(",1,").append(empty_columns, ',');
  line.push_back('\n');
  if (pending.task == Task::kClick) {
    hosts_[pending.host].clicks_5m.Add(event.time_ms);
    hosts_[pending.host].clicks_1h.Add(event.time_ms);
    users_[pending.user].clicks_1h.Add(event.time_ms);
  } else if (pending.task == Task::kGift) {
    hosts_[pending.host].gifts_1h.Add(event.time_ms);
  }
}

void EventStream::AppendTruth(std::string& text) const {
  const Impression& impression = given_.impression;
  text.append(std::to_string(ImpressionNumber(impression))).append(",");
  AppendNumber(impression.showing.moment.time_ms, text);
  text.append(",").append(SceneName(impression.showing.scene));
  for (const Task task : kTasks) {
    text.append(",").append(std::to_string(impression.chances.Of(task)));
  }
  for (const std::optional<int64_t>& happens_ms : given_.happens_ms) {
    text.push_back(',');
    if (happens_ms.has_value()) {
      AppendNumber(*happens_ms, text);
    }
  }
  text.push_back('\n');
}

}  // namespace antiphon
