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
      entry.position = std::min(item.position(), entry.size);
    }
  }
  for (size_t stage = 0; stage < stages_.size(); ++stage) {
    const bool keep = FirstOfStage(stage).kind == Partition::TRAIN || TrainingFollows(stage);
    for (const PartitionId partition : stages_[stage]) {
      Entry& entry = entries_[partition];
      entry.done = entry.done && keep;
      entry.start = entry.done ? entry.size : entry.position;
      entry.position = entry.counted = entry.measured = entry.start;
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
      entry.position = std::min(entry.position, item == nullptr ? 0 : item->position());
      replay_samples_ += entry.counted - entry.position;
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
    replay_samples_ -= std::min(position, entry.counted) - std::min(entry.position, entry.counted);
    samples_trained_ += position - std::min(position, entry.counted);
  }
  entry.position = position;
  entry.counted = std::max(entry.counted, position);
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
  Advance(entry, report.position);
  entry.measured = std::max(entry.measured, report.measured_through);
  if (report.done) {
    // One that ended before where it was counted has nothing left to learn again.
    Advance(entry, entry.counted);
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
      item.set_position(entries_[i].kind == Partition::TRAIN ? entries_[i].position : 0);
    }
  }
  return progress;
}

}  // namespace antiphon
