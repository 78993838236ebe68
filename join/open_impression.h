// OpenImpression: what is known of one request, and which labels that gives at which time.
//
// The labels are a function of event times alone, whatever the order in which events came: at time
// t a label says what had happened by t. Each moment at which labels become known is one sample.
// Pure functions; nothing here knows watermarks.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "join/join_event.h"
#include "join/join_rules.h"
#include "proto/join_state.pb.h"

namespace antiphon {

struct SeenFeedback {
  uint32_t rule = 0;
  int64_t time_ms = 0;
  double value = 0;

  friend auto operator<=>(const SeenFeedback&, const SeenFeedback&) = default;
};

struct OpenImpression {
  std::optional<int64_t> shown_ms;           // nothing: only feedback has come
  std::string fields;                        // of the impression
  std::vector<SeenFeedback> feedback;        // ascending, no two equal
  int64_t told_through_ms = kBeforeAllTime;  // labels known by then have gone out
  int64_t due_ms = kAfterAllTime;            // when something is to be done about it
};

// Label `column` becomes known, or changes, at `at_ms`.
struct KnownLabel {
  int64_t at_ms = 0;
  size_t column = 0;
  double value = 0;
};

// Fills `labels` with all that an impression that was shown tells, ascending in time.
void ListLabels(const JoinRules& rules, const OpenImpression& open,
                std::vector<KnownLabel>& labels);

// The end of the last window of an impression that was shown.
inline int64_t ClosesAt(const JoinRules& rules, const OpenImpression& open) {
  return *open.shown_ms + rules.open_ms;
}

// When feedback stops waiting for its impression: an impression may be a window late.
inline int64_t WaitsUntil(const JoinRules& rules, const SeenFeedback& seen) {
  return seen.time_ms + rules.feedback[seen.rule].window_ms;
}

// Adds feedback in its place. False: this very feedback is there already.
bool AddFeedback(OpenImpression& open, const SeenFeedback& seen);

// For the disk. Decoding answers kDataLoss to anything that EncodeOpenImpression does not write
// under these rules.
std::string EncodeOpenImpression(const OpenImpression& open);
StatusOr<OpenImpression> DecodeOpenImpression(const JoinRules& rules, std::string_view bytes);

}  // namespace antiphon
