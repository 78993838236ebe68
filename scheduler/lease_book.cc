#include "scheduler/lease_book.h"

#include <algorithm>
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
    entry.size = partition.end_record() - partition.begin_record();
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
        open_.insert(partition);
      }
    }
    left_ = static_cast<uint32_t>(open_.size());
    if (left_ > 0) {
      return;
    }
  }
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
    }
  }
  partitions_done_ = 0;
  for (size_t stage = 0; stage < stages_.size(); ++stage) {
    const bool keep = FirstOfStage(stage).kind == Partition::TRAIN || TrainingFollows(stage);
    for (const PartitionId partition : stages_[stage]) {
      Entry& entry = entries_[partition];
      entry.done = entry.done && keep;
      if (entry.done) {
        entry.start = entry.position = entry.size;
        ++partitions_done_;
        training_left_ -= entry.kind == Partition::TRAIN ? 1 : 0;
      }
    }
  }
  stage_ = 0;
  OpenStage();
}

void LeaseBook::StartAt(PartitionId partition, uint64_t position) {
  if (partition < entries_.size() && !entries_[partition].done) {
    Entry& entry = entries_[partition];
    entry.start = entry.position = std::min(position, entry.size);
  }
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
  const PartitionId partition = *open_.begin();
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
void LeaseBook::Advance(Entry& entry, uint64_t position) {
  if (position <= entry.position) {
    return;
  }
  if (entry.kind == Partition::TRAIN) {
    samples_trained_ += position - entry.position;
  }
  entry.position = position;
}

Status LeaseBook::Report(Incarnation worker, PartitionId partition, uint64_t lease_epoch,
                         uint64_t position, bool done) {
  const Lease* held = LeaseOf(worker);
  if (held == nullptr || held->partition != partition || held->lease_epoch != lease_epoch) {
    return StaleEpochError(LeaseName(partition, lease_epoch) + " is not the sender's any more");
  }
  Entry& entry = entries_[partition];
  if (position > entry.size) {
    return OutOfRangeError(LeaseName(partition, lease_epoch) + " reports position " +
                           std::to_string(position) + ", but the partition ends at " +
                           std::to_string(entry.size));
  }
  Advance(entry, position);
  if (done) {
    entry.done = true;
    entry.holder = 0;
    leases_.erase(worker);
    ++partitions_done_;
    training_left_ -= entry.kind == Partition::TRAIN ? 1 : 0;
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
  open_.insert(held->partition);
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
      // A partition that is done may have held fewer samples than it has records.
      planned += (entry.done ? entry.position : entry.size) - entry.start;
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
    }
  }
  return progress;
}

}  // namespace antiphon
