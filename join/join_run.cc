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
    return Status();
  }
  JoinProgress progress;
  JoinOutbox outbox;
  AP_ASSIGN_OR_RETURN(const std::optional<std::string> outbox_bytes, store_.Get(OutboxKey()));
  if (!progress.ParseFromString(*bytes) || !outbox_bytes.has_value() ||
      !outbox.ParseFromString(*outbox_bytes)) {
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
    if (partition.has_position()) {
      partitions_[i].has_begun = true;
      AP_RETURN_IF_ERROR(partitions_[i].reader->Seek(partition.position()));
    }
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
        AP_RETURN_IF_ERROR(joiner_.Add(index, std::move(event)));
        break;
      case EventReader::Outcome::kBadEvent:
        joiner_.counts().set_bad_events(joiner_.counts().bad_events() + 1);
        break;
      case EventReader::Outcome::kNothing:
        if (clock_.Now() - partition.heard_at >= idle_after_) {
          joiner_.SetIdle(index);
        }
        return n > 0;
      case EventReader::Outcome::kEnd:
        partition.has_ended = true;
        joiner_.SetIdle(index);
        return true;
    }
    partition.has_begun = true;
    partition.heard_at = clock_.Now();
  }
  return true;
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
    if (partition.has_begun) {
      saved.set_position(partition.reader->position());
    }
  }
  joiner_.SaveTo(progress);
  progress.set_next_sample(next_sample_);
  progress.set_next_group(group_.number + (group_.records.empty() ? 0 : 1));
  progress.set_rules_digest(options_.rules_digest);
  return progress;
}

Status JoinRun::Commit() {
  const JoinProgress progress = Progress();
  JoinOutbox outbox;
  outbox.set_number(group_.number);
  outbox.set_first(group_.first);
  for (const std::string& record : group_.records) {
    outbox.add_records(record);
  }
  std::vector<StoreChange> changes;
  joiner_.open().ListChanges(changes);
  changes.push_back({ProgressKey(), progress.SerializeAsString()});
  changes.push_back({OutboxKey(), outbox.SerializeAsString()});
  AP_RETURN_IF_ERROR(store_.Commit(changes));
  joiner_.open().NoteCommitted();
  joiner_.open().Shrink(options_.max_memory_bytes / 2);
  if (!group_.records.empty()) {
    AP_RETURN_IF_ERROR(sink_.Publish(group_));
  }
  group_ = {.number = progress.next_group(), .first = next_sample_, .records = {}};
  committed_at_ = clock_.Now();
  return Status();
}

Status JoinRun::Finish() {
  joiner_.End();
  AP_RETURN_IF_ERROR(TakeSamples());
  AP_RETURN_IF_ERROR(Commit());
  return sink_.End();
}

}  // namespace antiphon
