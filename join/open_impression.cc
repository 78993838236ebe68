#include "join/open_impression.h"

#include <algorithm>

namespace antiphon {
namespace {

// What became of one rule, as far as rules behind it need it.
struct Outcome {
  int64_t positive_from_ms = kAfterAllTime;  // from when on the label that is given out is 1
};

// The feedback of one rule that counts: inside its window, which also reaches back, for clocks of
// machines that disagree.
class Occurrences {
 public:
  Occurrences(const FeedbackRule& rule, size_t index, const OpenImpression& open)
      : shown_ms_(*open.shown_ms), window_ms_(rule.window_ms) {
    for (const SeenFeedback& seen : open.feedback) {
      if (seen.rule != index || seen.time_ms > shown_ms_ + window_ms_ ||
          seen.time_ms < shown_ms_ - window_ms_) {
        continue;
      }
      // Ascending in time, so the first is the earliest and the last the latest.
      first_ms_ = std::min(first_ms_, std::max(seen.time_ms, shown_ms_));
      sum_ += seen.value;
      last_ = seen.value;
    }
  }

  int64_t first_ms() const { return first_ms_; }  // kAfterAllTime: none
  int64_t window_end_ms() const { return shown_ms_ + window_ms_; }
  double sum() const { return sum_; }
  double last() const { return last_; }

 private:
  int64_t shown_ms_;
  int64_t window_ms_;
  int64_t first_ms_ = kAfterAllTime;
  double sum_ = 0;
  double last_ = 0;
};

// A label that is given out at `given_ms` as what has happened by then and again when it changes.
Outcome ListHappened(const FeedbackRule& rule, const Occurrences& seen, int64_t given_ms,
                     std::vector<KnownLabel>& labels) {
  const bool is_early = seen.first_ms() <= given_ms;
  const bool is_late = !is_early && seen.first_ms() != kAfterAllTime;
  labels.push_back({given_ms, rule.label_column, is_early ? 1.0 : 0.0});
  if (is_late) {
    labels.push_back({seen.first_ms(), rule.label_column, 1.0});
  }
  const int64_t final_ms = std::max(given_ms, seen.window_end_ms());
  if (rule.late_column.has_value()) {
    labels.push_back({final_ms, *rule.late_column, is_late ? 1.0 : 0.0});
  }
  if (rule.never_column.has_value() && !is_early) {
    labels.push_back({final_ms, *rule.never_column, is_late ? 0.0 : 1.0});
  }
  if (is_early) {
    return {.positive_from_ms = given_ms};
  }
  return {.positive_from_ms = seen.first_ms()};
}

}  // namespace

void ListLabels(const JoinRules& rules, const OpenImpression& open,
                std::vector<KnownLabel>& labels) {
  labels.clear();
  std::vector<Outcome> outcomes(rules.feedback.size());
  for (size_t i = 0; i < rules.feedback.size(); ++i) {
    const FeedbackRule& rule = rules.feedback[i];
    int64_t given_ms = *open.shown_ms + rules.wait_ms;
    if (rule.given.has_value()) {
      given_ms = std::max(given_ms, outcomes[*rule.given].positive_from_ms);
    }
    if (given_ms == kAfterAllTime) {
      continue;  // what it is given has not happened
    }
    const Occurrences seen(rule, i, open);
    if (rule.value == Feedback::HAPPENED) {
      outcomes[i] = ListHappened(rule, seen, given_ms, labels);
    } else {
      labels.push_back({std::max(given_ms, seen.window_end_ms()), rule.label_column,
                        rule.value == Feedback::SUM ? seen.sum() : seen.last()});
    }
  }
  std::stable_sort(labels.begin(), labels.end(),
                   [](const KnownLabel& a, const KnownLabel& b) { return a.at_ms < b.at_ms; });
}

bool AddFeedback(OpenImpression& open, const SeenFeedback& seen) {
  const auto place = std::lower_bound(open.feedback.begin(), open.feedback.end(), seen);
  if (place != open.feedback.end() && *place == seen) {
    return false;
  }
  open.feedback.insert(place, seen);
  return true;
}

std::string EncodeOpenImpression(const OpenImpression& open) {
  OpenImpressionState state;
  if (open.shown_ms.has_value()) {
    state.set_shown_ms(*open.shown_ms);
    state.set_fields(open.fields);
  }
  for (const SeenFeedback& seen : open.feedback) {
    SeenFeedbackState& added = *state.add_feedback();
    added.set_rule(seen.rule);
    added.set_time_ms(seen.time_ms);
    added.set_value(seen.value);
  }
  state.set_told_through_ms(open.told_through_ms);
  state.set_due_ms(open.due_ms);
  return state.SerializeAsString();
}

StatusOr<OpenImpression> DecodeOpenImpression(const JoinRules& rules, std::string_view bytes) {
  OpenImpressionState state;
  if (!state.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return DataLossError("an open impression of the joiner's state does not parse");
  }
  OpenImpression open;
  if (state.has_shown_ms()) {
    open.shown_ms = state.shown_ms();
    open.fields = std::move(*state.mutable_fields());
  }
  for (const SeenFeedbackState& seen : state.feedback()) {
    const bool is_new =
        AddFeedback(open, {.rule = seen.rule(), .time_ms = seen.time_ms(), .value = seen.value()});
    if (seen.rule() >= rules.feedback.size() || !is_new) {
      return DataLossError("an open impression of the joiner's state has impossible feedback");
    }
  }
  open.told_through_ms = state.told_through_ms();
  open.due_ms = state.due_ms();
  return open;
}

}  // namespace antiphon
