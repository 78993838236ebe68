#include "scheduler/lease_book.h"

#include <algorithm>
#include <limits>
#include <string>

namespace antiphon {
namespace {

std::string LeaseName(PartitionId partition, uint64_t lease_epoch) {
  return "lease " + std::to_string(lease_epoch) + " of partition " + std::to_string(partition);
}

}  // namespace

LeaseBook::LeaseBook(const TrainingPlan& plan) {
  entries_.reserve(static_cast<size_t>(plan.partitions_size()));
  for (const Partition& partition : plan.partitions()) {
    if (entries_.empty() || entries_.back().stage != partition.stage()) {
      stages_.emplace_back();
    }
    stages_.back().push_back(static_cast<PartitionId>(entries_.size()));
    Entry& entry = entries_.emplace_back();
    entry.kind = partition.kind();
    entry.stage = partition.stage();
    entry.epoch = partition.epoch();
    entry.open_ended = partition.open_ended();
    entry.size = entry.open_ended ? std::numeric_limits<uint64_t>::max()
                                  : partition.end_record() - partition.begin_record();
    training_left_ += entry.kind == Partition::TRAIN ? 1 : 0;
  }
  OpenStage();
}

// Makes the partitions of the first stage that is not done available.
void LeaseBook::OpenStage() {
  for (; stage_ < stages_.size(); ++stage_) {
    open_.clear();
    for (const PartitionId partition : stages_[stage_]) {
      if (!entries_[partition].done) {
        MakeOpen(partition);
      }
    }
    left_ = static_cast<uint32_t>(open_.size());
    if (left_ > 0) {
      return;
    }
  }
}

void LeaseBook::MakeOpen(PartitionId partition) {
  open_.emplace(entries_[partition].open_ended ? ++last_turn_ : 0, partition);
}

bool LeaseBook::TrainingFollows(size_t stage) const {
  for (size_t later = stage + 1; later < stages_.size(); ++later) {
    for (const PartitionId partition : stages_[later]) {
      if (entries_[partition].kind == Partition::TRAIN && entries_[partition].lease_epoch > 0) {
        return true;
      }
    }
  }
  return false;
}

void LeaseBook::Resume(const std::vector<PartitionProgress>& progress) {
  for (const PartitionProgress& item : progress) {
    if (item.partition() < entries_.size()) {
      Entry& entry = entries_[item.partition()];
      entry.lease_epoch = item.lease_epoch();
      entry.done = item.done();
      entry.position = std::min(item.position(), entry.size);
      entry.records = entry.open_ended ? item.records() : entry.position;
    }
  }
  for (size_t stage = 0; stage < stages_.size(); ++stage) {
    const bool keep = FirstOfStage(stage).kind == Partition::TRAIN || TrainingFollows(stage);
    for (const PartitionId partition : stages_[stage]) {
      Entry& entry = entries_[partition];
      entry.done = entry.done && keep;
      if (entry.done && !entry.open_ended) {
        entry.position = entry.records = entry.size;
      }
      entry.start = entry.counted = entry.records;
      entry.measured = entry.position;
    }
  }
  OpenFirstStage();
}

void LeaseBook::Rewind(const std::vector<PartitionProgress>& kept) {
  std::vector<const PartitionProgress*> kept_of(entries_.size(), nullptr);
  for (const PartitionProgress& item : kept) {
    if (item.partition() < entries_.size()) {
      kept_of[item.partition()] = &item;
    }
  }
  leases_.clear();
  replay_samples_ = 0;
  for (size_t i = 0; i < entries_.size(); ++i) {
    Entry& entry = entries_[i];
    entry.holder = 0;
    if (entry.kind == Partition::EVAL) {
      entry.position = entry.done ? entry.position : 0;
      continue;
    }
    const PartitionProgress* item = kept_of[i];
    if (item == nullptr || !item->done()) {
      entry.done = false;
      const uint64_t kept_position = item == nullptr ? 0 : item->position();
      if (kept_position < entry.position) {
        entry.position = kept_position;
        entry.records = !entry.open_ended ? kept_position : item == nullptr ? 0 : item->records();
      }
      replay_samples_ += entry.counted - std::min(entry.records, entry.counted);
    }
  }
  OpenFirstStage();
}

// Looks at every partition again, from the first stage on.
void LeaseBook::OpenFirstStage() {
  partitions_done_ = 0;
  training_left_ = 0;
  for (const Entry& entry : entries_) {
    partitions_done_ += entry.done ? 1 : 0;
    training_left_ += !entry.done && entry.kind == Partition::TRAIN ? 1 : 0;
  }
  stage_ = 0;
  OpenStage();
}

LeaseBook::Grant LeaseBook::Acquire(Incarnation worker) {
  if (finished()) {
    return {.answer = Answer::kFinished, .lease = {}};
  }
  if (const Lease* held = LeaseOf(worker); held != nullptr) {
    return {.answer = Answer::kLease, .lease = *held};
  }
  if (open_.empty()) {
    return {.answer = Answer::kWait, .lease = {}};
  }
  const PartitionId partition = open_.begin()->second;
  open_.erase(open_.begin());
  Entry& entry = entries_[partition];
  entry.holder = worker;
  ++entry.lease_epoch;
  const Lease lease = {
      .partition = partition, .lease_epoch = entry.lease_epoch, .kind = entry.kind};
  leases_[worker] = lease;
  return {.answer = Answer::kLease, .lease = lease};
}

// Positions only move forward: a successor may report from further back than its predecessor did.
void LeaseBook::Advance(Entry& entry, uint64_t position, uint64_t records) {
  if (position <= entry.position) {
    return;
  }
  const uint64_t counted = entry.counted;
  const uint64_t passed = std::max(records, entry.records);
  if (entry.kind == Partition::TRAIN) {
    replay_samples_ -= std::min(passed, counted) - std::min(entry.records, counted);
    samples_trained_ += passed - std::min(passed, counted);
  }
  entry.position = position;
  entry.records = passed;
  entry.counted = std::max(counted, passed);
}

void LeaseBook::EndPartition(Entry& entry) {
  // One that ended before where it was counted has nothing left to learn again.
  if (entry.kind == Partition::TRAIN) {
    replay_samples_ -= entry.counted - std::min(entry.records, entry.counted);
  }
  entry.records = std::max(entry.records, entry.counted);
  if (!entry.open_ended) {
    entry.position = entry.records;
  }
  entry.done = true;
  entry.holder = 0;
  ++partitions_done_;
  training_left_ -= entry.kind == Partition::TRAIN ? 1 : 0;
}

Status LeaseBook::Report(Incarnation worker, const LeaseReport& report) {
  const auto name = [&report] { return LeaseName(report.partition, report.lease_epoch); };
  const Lease* held = LeaseOf(worker);
  if (held == nullptr || held->partition != report.partition ||
      held->lease_epoch != report.lease_epoch) {
    return StaleEpochError(name() + " is not the sender's any more");
  }
  Entry& entry = entries_[report.partition];
  for (const uint64_t position : {report.position, report.measured_through}) {
    if (position > entry.size) {
      return OutOfRangeError(name() + " reports position " + std::to_string(position) +
                             ", but the partition ends at " + std::to_string(entry.size));
    }
  }
  if (report.yielded && !entry.open_ended) {
    return InvalidArgumentError(name() + " is given back, but the partition has an end");
  }
  Advance(entry, report.position, entry.open_ended ? report.records : report.position);
  entry.measured = std::max(entry.measured, report.measured_through);
  if (report.yielded) {
    Release(worker);
  } else if (report.done) {
    EndPartition(entry);
    leases_.erase(worker);
    if (--left_ == 0) {
      ++stage_;
      OpenStage();
    }
  }
  return Status();
}

void LeaseBook::Release(Incarnation worker) {
  const Lease* held = LeaseOf(worker);
  if (held == nullptr) {
    return;
  }
  entries_[held->partition].holder = 0;
  MakeOpen(held->partition);
  leases_.erase(worker);
}

const Lease* LeaseBook::LeaseOf(Incarnation worker) const {
  const auto found = leases_.find(worker);
  return found == leases_.end() ? nullptr : &found->second;
}

uint64_t LeaseBook::SamplesPlanned() const {
  uint64_t planned = 0;
  for (const Entry& entry : entries_) {
    if (entry.kind == Partition::TRAIN) {
      // A partition that is done may have held fewer samples than it has records, and nobody knows
      // how many will come in one that is open-ended.
      const bool is_known = !entry.done && !entry.open_ended;
      planned += (is_known ? entry.size : std::max(entry.records, entry.counted)) - entry.start;
    }
  }
  return planned;
}

std::vector<PartitionProgress> LeaseBook::Progress() const {
  std::vector<PartitionProgress> progress;
  for (size_t i = 0; i < entries_.size(); ++i) {
    if (entries_[i].done || entries_[i].lease_epoch > 0) {
      PartitionProgress& item = progress.emplace_back();
      item.set_partition(static_cast<uint32_t>(i));
      item.set_done(entries_[i].done);
      item.set_lease_epoch(entries_[i].lease_epoch);
      item.set_position(entries_[i].kind == Partition::TRAIN ? entries_[i].position : 0);
      if (entries_[i].open_ended) {
        item.set_records(entries_[i].records);
      }
    }
  }
  return progress;
}

}  // namespace antiphon
