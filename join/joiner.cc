#include "join/joiner.h"

#include <algorithm>
#include <utility>

namespace antiphon {

Joiner::Joiner(const JoinRules& rules, size_t partitions, JoinStore& store)
    : rules_(rules), partitions_(partitions), open_(rules, store) {}

Status Joiner::Restore(const JoinProgress& progress) {
  watermark_ms_ = progress.watermark_ms();
  counts_ = progress.counts();
  for (size_t i = 0; i < partitions_.size(); ++i) {
    if (i < static_cast<size_t>(progress.partitions_size()) &&
        progress.partitions(static_cast<int>(i)).has_latest_ms()) {
      partitions_[i].latest_ms = progress.partitions(static_cast<int>(i)).latest_ms();
    }
  }
  return open_.Load();
}

void Joiner::SaveTo(JoinProgress& progress) const {
  progress.set_watermark_ms(watermark_ms_);
  *progress.mutable_counts() = counts_;
  for (size_t i = 0; i < partitions_.size(); ++i) {
    if (i == static_cast<size_t>(progress.partitions_size())) {
      progress.add_partitions();
    }
    progress.mutable_partitions(static_cast<int>(i))->set_latest_ms(partitions_[i].latest_ms);
  }
}

int64_t Joiner::partition_watermark_ms(size_t partition) const {
  const int64_t latest_ms = partitions_[partition].latest_ms;
  return latest_ms == kBeforeAllTime ? kBeforeAllTime : latest_ms - rules_.out_of_order_ms;
}

void Joiner::RaiseWatermark() {
  int64_t lowest = kAfterAllTime;
  for (size_t i = 0; i < partitions_.size(); ++i) {
    if (!partitions_[i].is_idle) {
      lowest = std::min(lowest, partition_watermark_ms(i));
    }
  }
  if (lowest != kAfterAllTime) {
    watermark_ms_ = std::max(watermark_ms_, lowest);
  }
}

void Joiner::SetIdle(size_t partition) {
  partitions_[partition].is_idle = true;
  RaiseWatermark();
}

Status Joiner::Add(size_t partition, JoinEvent event) {
  Partition& from = partitions_[partition];
  from.is_idle = false;
  // One that was idle may be behind the joiner without being behind itself.
  const bool is_late = event.time_ms < std::max(partition_watermark_ms(partition), watermark_ms_);
  from.latest_ms = std::max(from.latest_ms, event.time_ms);
  Status status;
  if (event.is_impression) {
    counts_.set_impressions(counts_.impressions() + 1);
    counts_.set_late_impressions(counts_.late_impressions() + (is_late ? 1 : 0));
    if (!is_late) {
      status = AddImpression(std::move(event));
    }
  } else {
    counts_.set_feedback(counts_.feedback() + 1);
    counts_.set_late_feedback(counts_.late_feedback() + (is_late ? 1 : 0));
    if (!is_late) {
      status = AddFeedbackEvent(event);
    }
  }
  RaiseWatermark();
  return status;
}

Status Joiner::AddImpression(JoinEvent event) {
  AP_ASSIGN_OR_RETURN(OpenImpression* const open, open_.FindOrAdd(event.request));
  if (open->shown_ms.has_value()) {
    counts_.set_duplicate_impressions(counts_.duplicate_impressions() + 1);
    // Of two that differ the earlier one counts, whichever comes first.
    if (std::pair<int64_t, std::string_view>(*open->shown_ms, open->fields) <=
        std::pair<int64_t, std::string_view>(event.time_ms, event.fields)) {
      return Status();
    }
  }
  open->shown_ms = event.time_ms;
  open->fields = std::move(event.fields);
  open_.Schedule(event.request, *NextDue(*open));
  return Status();
}

Status Joiner::AddFeedbackEvent(const JoinEvent& event) {
  const std::optional<size_t> rule = rules_.Find(event.kind);
  if (!rule.has_value()) {
    counts_.set_unknown_kinds(counts_.unknown_kinds() + 1);
    return Status();
  }
  AP_ASSIGN_OR_RETURN(OpenImpression* const open, open_.FindOrAdd(event.request));
  const bool is_new = AddFeedback(
      *open,
      {.rule = static_cast<uint32_t>(*rule), .time_ms = event.time_ms, .value = event.value});
  if (!is_new) {
    counts_.set_duplicate_feedback(counts_.duplicate_feedback() + 1);
    return Status();
  }
  open_.Schedule(event.request, *NextDue(*open));
  return Status();
}

std::optional<int64_t> Joiner::NextDue(const OpenImpression& open) {
  if (!open.shown_ms.has_value()) {
    std::optional<int64_t> first;
    for (const SeenFeedback& seen : open.feedback) {
      first = std::min(first.value_or(kAfterAllTime), WaitsUntil(rules_, seen));
    }
    return first;
  }
  ListLabels(rules_, open, labels_);
  for (const KnownLabel& label : labels_) {
    if (label.at_ms > open.told_through_ms) {
      return label.at_ms;
    }
  }
  const int64_t closes_ms = ClosesAt(rules_, open);
  return closes_ms > open.told_through_ms ? std::optional(closes_ms) : std::nullopt;
}

StatusOr<std::optional<JoinedSample>> Joiner::Next() {
  std::optional<JoinedSample> sample;
  while (!sample.has_value()) {
    AP_ASSIGN_OR_RETURN(const std::optional<OpenImpressions::Due> due,
                        open_.FirstDue(watermark_ms_));
    if (!due.has_value()) {
      break;
    }
    AP_RETURN_IF_ERROR(Settle(*due, sample));
  }
  return sample;
}

Status Joiner::Settle(const OpenImpressions::Due& due, std::optional<JoinedSample>& sample) {
  if (due.open->shown_ms.has_value()) {
    SettleShown(due, sample);
  } else {
    DropOrphans(*due.open, due.due_ms);
  }
  const std::optional<int64_t> next = NextDue(*due.open);
  if (next.has_value()) {
    open_.Schedule(due.request, *next);
  } else {
    open_.Remove(due.request);
  }
  return Status();
}

void Joiner::SettleShown(const OpenImpressions::Due& due, std::optional<JoinedSample>& sample) {
  OpenImpression& open = *due.open;
  ListLabels(rules_, open, labels_);
  for (const KnownLabel& label : labels_) {
    if (label.at_ms != due.due_ms) {
      continue;
    }
    if (!sample.has_value()) {
      sample.emplace();
      sample->labels.resize(rules_.columns.size());
    }
    sample->labels[label.column] = label.value;
  }
  open.told_through_ms = due.due_ms;
  const bool is_closed = due.due_ms == ClosesAt(rules_, open);
  if (sample.has_value()) {
    counts_.set_samples(counts_.samples() + 1);
    sample->request = due.request;
    sample->known_until_ms = due.due_ms;
    sample->fields = is_closed ? std::move(open.fields) : open.fields;
  }
  if (is_closed) {
    Close(open);
  }
}

void Joiner::Close(OpenImpression& open) {
  const int64_t shown_ms = *open.shown_ms;
  const int64_t closes_ms = ClosesAt(rules_, open);
  // What came too early stays, as feedback on an impression that has not come.
  const auto kept =
      std::remove_if(open.feedback.begin(), open.feedback.end(), [&](const SeenFeedback& seen) {
        const bool is_orphan = WaitsUntil(rules_, seen) < shown_ms;
        const bool is_outside = seen.time_ms > shown_ms + rules_.feedback[seen.rule].window_ms &&
                                seen.time_ms <= closes_ms;
        counts_.set_orphans(counts_.orphans() + (is_orphan ? 1 : 0));
        counts_.set_outside_window(counts_.outside_window() + (is_outside ? 1 : 0));
        return seen.time_ms <= closes_ms;
      });
  OpenImpression rest;
  rest.feedback.assign(open.feedback.begin(), kept);
  rest.due_ms = open.due_ms;
  open = std::move(rest);
}

void Joiner::DropOrphans(OpenImpression& open, int64_t due_ms) {
  const auto kept =
      std::remove_if(open.feedback.begin(), open.feedback.end(),
                     [&](const SeenFeedback& seen) { return WaitsUntil(rules_, seen) <= due_ms; });
  counts_.set_orphans(counts_.orphans() +
                      static_cast<uint64_t>(std::distance(kept, open.feedback.end())));
  open.feedback.erase(kept, open.feedback.end());
}

}  // namespace antiphon
