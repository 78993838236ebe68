#include "join/join_run.h"

#include <algorithm>
#include <utility>

namespace antiphon {
namespace {

constexpr int kEventsAStep = 1000;

}  // namespace

JoinRun::JoinRun(const JoinRules& rules, const SampleRecord& format, const JoinRunOptions& options,
                 std::vector<std::unique_ptr<EventReader>> readers, JoinStore& store,
                 SampleSink& sink, Clock& clock)
    : format_(format),
      options_(options),
      store_(store),
      sink_(sink),
      clock_(clock),
      idle_after_(std::chrono::milliseconds(rules.idle_partition_ms)),
      joiner_(rules, readers.size(), store),
      committed_at_(clock.Now()) {
  for (std::unique_ptr<EventReader>& reader : readers) {
    partitions_.push_back({.reader = std::move(reader), .heard_at = clock.Now()});
  }
}

StatusOr<std::unique_ptr<JoinRun>> JoinRun::Create(
    const JoinRules& rules, const SampleRecord& format, const JoinRunOptions& options,
    std::vector<std::unique_ptr<EventReader>> readers, JoinStore& store, SampleSink& sink,
    Clock& clock) {
  std::unique_ptr<JoinRun> run(
      new JoinRun(rules, format, options, std::move(readers), store, sink, clock));
  AP_RETURN_IF_ERROR(run->Restore());
  return run;
}

Status JoinRun::Restore() {
  AP_ASSIGN_OR_RETURN(const std::optional<std::string> bytes, store_.Get(ProgressKey()));
  if (!bytes.has_value()) {
    has_news_ = true;
    return Commit();
  }
  JoinProgress progress;
  JoinOutbox outbox;
  AP_ASSIGN_OR_RETURN(const std::optional<std::string> outbox_bytes, store_.Get(OutboxKey()));
  if (!progress.ParseFromString(*bytes) || !outbox.ParseFromString(outbox_bytes.value_or(""))) {
    return DataLossError("the joiner's state does not parse");
  }
  if (progress.rules_digest() != options_.rules_digest) {
    return FailedPreconditionError(
        "the joiner's state was made under another configuration; finish with that one, or begin "
        "with an empty folder for the state");
  }
  AP_RETURN_IF_ERROR(RestorePartitions(progress));
  AP_RETURN_IF_ERROR(joiner_.Restore(progress));
  next_sample_ = progress.next_sample();
  group_.number = progress.next_group();
  group_.first = next_sample_;
  if (outbox.records().empty()) {
    return Status();
  }
  return sink_.Publish({.number = outbox.number(),
                        .first = outbox.first(),
                        .records = {outbox.records().begin(), outbox.records().end()}});
}

Status JoinRun::RestorePartitions(const JoinProgress& progress) {
  const auto saved = static_cast<size_t>(progress.partitions_size());
  for (size_t i = 0; i < saved; ++i) {
    const JoinPartition& partition = progress.partitions(static_cast<int>(i));
    if (i >= partitions_.size() || partitions_[i].reader->partition() != partition.name()) {
      return FailedPreconditionError(
          "the joiner's state has the partition " + partition.name() + " in place " +
          std::to_string(i) + ", where the source has " +
          (i < partitions_.size() ? partitions_[i].reader->partition() : "none") +
          "; partitions may be added at the end only");
    }
    partitions_[i].has_begun = !partition.untouched();
    AP_RETURN_IF_ERROR(partitions_[i].reader->Seek(
        partition.position(),
        partition.untouched() ? EventReader::Past::kUntouched : EventReader::Past::kRead));
  }
  return Status();
}

std::vector<size_t> JoinRun::PartitionsByWatermark() const {
  std::vector<size_t> order;
  for (size_t i = 0; i < partitions_.size(); ++i) {
    if (!partitions_[i].has_ended) {
      order.push_back(i);
    }
  }
  std::stable_sort(order.begin(), order.end(), [this](size_t a, size_t b) {
    return joiner_.partition_watermark_ms(a) < joiner_.partition_watermark_ms(b);
  });
  return order;
}

StatusOr<bool> JoinRun::ReadSome(size_t index) {
  Partition& partition = partitions_[index];
  JoinEvent event;
  for (int n = 0; n < kEventsAStep; ++n) {
    AP_ASSIGN_OR_RETURN(const EventReader::Outcome outcome, partition.reader->Next(event));
    switch (outcome) {
      case EventReader::Outcome::kEvent:
        AP_RETURN_IF_ERROR(TakeEvent(index, std::move(event)));
        break;
      case EventReader::Outcome::kBadEvent:
        joiner_.counts().set_bad_events(joiner_.counts().bad_events() + 1);
        break;
      case EventReader::Outcome::kNothing:
        NoteSilence(index);
        return n > 0;
      case EventReader::Outcome::kEnd:
        partition.has_ended = true;
        joiner_.SetIdle(index);
        return true;
    }
    partition.has_begun = true;
    has_news_ = true;
    partition.heard_at = clock_.Now();
  }
  return true;
}

// One clock that is wrong must not make every other event late.
Status JoinRun::TakeEvent(size_t index, JoinEvent event) {
  const int64_t ahead_ms = event.time_ms - clock_.WallSeconds() * 1000;
  if (options_.max_ahead_seconds > 0 &&
      ahead_ms > static_cast<int64_t>(options_.max_ahead_seconds * 1000)) {
    joiner_.counts().set_future_events(joiner_.counts().future_events() + 1);
    return Status();
  }
  return joiner_.Add(index, std::move(event));
}

void JoinRun::NoteSilence(size_t index) {
  Partition& partition = partitions_[index];
  if (partition.reader->may_have_more()) {
    partition.heard_at = clock_.Now();
  } else if (clock_.Now() - partition.heard_at >= idle_after_ && !joiner_.is_idle(index)) {
    joiner_.SetIdle(index);
    has_news_ = true;
  }
}

StatusOr<JoinRun::Outcome> JoinRun::Step() {
  Outcome outcome = Outcome::kDone;
  for (const size_t index : PartitionsByWatermark()) {
    AP_ASSIGN_OR_RETURN(const bool has_read, ReadSome(index));
    outcome = has_read ? Outcome::kBusy : Outcome::kNothing;
    if (has_read) {
      break;
    }
  }
  if (outcome == Outcome::kDone) {
    AP_RETURN_IF_ERROR(Finish());
    return outcome;
  }
  AP_RETURN_IF_ERROR(TakeSamples());
  if (IsTimeToCommit()) {
    AP_RETURN_IF_ERROR(Commit());
  }
  return outcome;
}

Status JoinRun::TakeSamples() {
  while (true) {
    AP_ASSIGN_OR_RETURN(const std::optional<JoinedSample> sample, joiner_.Next());
    if (!sample.has_value()) {
      return Status();
    }
    group_.records.push_back(format_.Of(*sample));
    ++next_sample_;
    has_news_ = true;
    const bool is_large = joiner_.open().memory_bytes() > 2 * options_.max_memory_bytes;
    if (group_.records.size() >= options_.commit_samples || is_large) {
      AP_RETURN_IF_ERROR(Commit());
    }
  }
}

bool JoinRun::IsTimeToCommit() {
  return group_.records.size() >= options_.commit_samples ||
         joiner_.open().memory_bytes() > options_.max_memory_bytes ||
         clock_.Now() - committed_at_ >= options_.commit_every;
}

JoinProgress JoinRun::Progress() const {
  JoinProgress progress;
  for (const Partition& partition : partitions_) {
    JoinPartition& saved = *progress.add_partitions();
    saved.set_name(partition.reader->partition());
    saved.set_position(partition.reader->position());
    saved.set_untouched(!partition.has_begun);
  }
  joiner_.SaveTo(progress);
  progress.set_next_sample(next_sample_);
  progress.set_next_group(group_.number + (group_.records.empty() ? 0 : 1));
  progress.set_rules_digest(options_.rules_digest);
  return progress;
}

Status JoinRun::Commit() {
  committed_at_ = clock_.Now();
  if (!has_news_) {
    return Status();
  }
  const JoinProgress progress = Progress();
  std::vector<StoreChange> changes;
  joiner_.open().ListChanges(changes);
  changes.push_back({ProgressKey(), progress.SerializeAsString()});
  AP_RETURN_IF_ERROR(sink_.Stage(group_, changes));
  AP_RETURN_IF_ERROR(store_.Commit(changes));
  joiner_.open().NoteCommitted();
  joiner_.open().Shrink(options_.max_memory_bytes / 2);
  if (!group_.records.empty()) {
    AP_RETURN_IF_ERROR(sink_.Publish(group_));
  }
  group_ = {.number = progress.next_group(), .first = next_sample_, .records = {}};
  has_news_ = false;
  return Status();
}

Status JoinRun::Finish() {
  joiner_.End();
  has_news_ = true;
  AP_RETURN_IF_ERROR(TakeSamples());
  AP_RETURN_IF_ERROR(Commit());
  return sink_.End();
}

}  // namespace antiphon
