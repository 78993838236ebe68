#include "server/position_ledger.h"

#include <algorithm>
#include <string>

#include "common/base/logging.h"

namespace antiphon {

namespace {

constexpr uint32_t kNotOurs = ~uint32_t{0};

std::string NameOf(const BatchPositions& batch) {
  return "batch [" + std::to_string(batch.begin) + ", " + std::to_string(batch.end) +
         ") of partition " + std::to_string(batch.partition);
}

Status FencedError(PartitionId partition, uint64_t lease_epoch, uint64_t fence) {
  return StaleEpochError("partition " + std::to_string(partition) + ": lease " +
                         std::to_string(lease_epoch) + " is over, this lane has seen lease " +
                         std::to_string(fence));
}

// Whether a group that has applied everything before `applied` takes the batch.
StatusOr<bool> IsNewTo(Position applied, const BatchPositions& batch) {
  if (batch.begin == applied) {
    return true;
  }
  if (batch.end <= applied) {
    return false;
  }
  if (batch.begin > applied) {
    return Status(StatusCode::kPositionGap,
                  NameOf(batch) + " begins past position " + std::to_string(applied) +
                      ", which this lane expects next; send again from there");
  }
  return InvalidArgumentError(NameOf(batch) + " straddles position " + std::to_string(applied) +
                              ", where an applied batch ended; cut batches at the same positions");
}

}  // namespace

void PositionLedger::Reset(uint32_t shard_count, std::span<const ShardId> shards) {
  partitions_.clear();
  recent_.clear();
  group_of_shard_.assign(shard_count, kNotOurs);
  for (const ShardId shard : shards) {
    CHECK_LT(shard, shard_count);
    group_of_shard_[shard] = 0;
  }
  group_count_ = shards.empty() ? 0 : 1;
  applies_.assign(group_count_, 0);
}

Status PositionLedger::Restore(uint32_t shard_count, std::span<const ShardId> shards,
                               std::span<const PositionGroup> groups) {
  PositionLedger restored(check_);
  restored.Reset(shard_count, shards);
  restored.group_count_ = 0;
  std::vector<uint8_t> found(shard_count, 0);
  for (const PositionGroup& group : groups) {
    bool has_ours = false;
    for (const ShardId shard : group.shards()) {
      if (shard >= shard_count || restored.group_of_shard_[shard] == kNotOurs) {
        continue;
      }
      if (found[shard] != 0) {
        return DataLossError("shard " + std::to_string(shard) + " is in two files of the snapshot");
      }
      found[shard] = 1;
      restored.group_of_shard_[shard] = static_cast<uint32_t>(restored.group_count_);
      has_ours = true;
    }
    if (!has_ours) {
      continue;
    }
    ++restored.group_count_;
    for (const PartitionPosition& position : group.positions()) {
      AP_ASSIGN_OR_RETURN(Partition * partition, restored.FindOrAdd(position.partition()));
      partition->lease_epoch = std::max(partition->lease_epoch, position.lease_epoch());
      partition->applied.resize(restored.group_count_);
      partition->applied.back() = {
          .position = position.applied_through(),
          .records = position.has_records() ? position.records() : position.applied_through()};
    }
  }
  for (const ShardId shard : shards) {
    if (found[shard] == 0) {
      return DataLossError("shard " + std::to_string(shard) + " is in no file of the snapshot");
    }
  }
  for (auto& [id, partition] : restored.partitions_) {
    partition.applied.resize(restored.group_count_);
  }
  restored.applies_.assign(restored.group_count_, 0);
  restored.MergeEqualGroups();
  *this = std::move(restored);
  return Status();
}

StatusOr<PositionLedger::Partition*> PositionLedger::FindOrAdd(PartitionId partition) {
  const auto found = partitions_.find(partition);
  if (found != partitions_.end()) {
    return &found->second;
  }
  if (partitions_.size() >= kMaxPartitions) {
    return ResourceExhaustedError("a lane keeps the positions of at most " +
                                  std::to_string(kMaxPartitions) + " partitions, and partition " +
                                  std::to_string(partition) + " is one more");
  }
  Partition& added = partitions_[partition];
  added.applied.assign(group_count_, Standing());
  return &added;
}

StatusOr<std::vector<Standing>> PositionLedger::Open(PartitionId partition, uint64_t lease_epoch) {
  AP_ASSIGN_OR_RETURN(Partition * opened, FindOrAdd(partition));
  if (lease_epoch < opened->lease_epoch) {
    return FencedError(partition, lease_epoch, opened->lease_epoch);
  }
  opened->lease_epoch = lease_epoch;
  std::erase(recent_, partition);
  if (recent_.size() >= kMaxDescribed) {
    recent_.erase(recent_.begin());
  }
  recent_.push_back(partition);
  std::vector<Standing> distinct = opened->applied;
  std::ranges::sort(distinct, {}, &Standing::position);
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  return distinct;
}

StatusOr<PushScope> PositionLedger::Check(const BatchPositions& batch) {
  if (batch.begin >= batch.end) {
    return InvalidArgumentError(NameOf(batch) + " is empty, expected begin < end");
  }
  const auto found = partitions_.find(batch.partition);
  if (found == partitions_.end()) {
    return FailedPreconditionError("partition " + std::to_string(batch.partition) +
                                   " was never opened on this lane");
  }
  const Partition& partition = found->second;
  if (batch.lease_epoch < partition.lease_epoch) {
    return FencedError(batch.partition, batch.lease_epoch, partition.lease_epoch);
  }
  if (check_ == PositionCheck::kOff) {
    std::fill(applies_.begin(), applies_.end(), 1);
    return PushScope::kAllGroups;
  }
  size_t applying = 0;
  for (size_t group = 0; group < group_count_; ++group) {
    AP_ASSIGN_OR_RETURN(const bool is_new, IsNewTo(partition.applied[group].position, batch));
    applies_[group] = is_new ? 1 : 0;
    applying += is_new ? 1 : 0;
  }
  if (applying == 0) {
    return PushScope::kNoGroup;
  }
  return applying == group_count_ ? PushScope::kAllGroups : PushScope::kSomeGroups;
}

Position PositionLedger::Commit(const BatchPositions& batch) {
  const auto found = partitions_.find(batch.partition);
  CHECK(found != partitions_.end()) << "a commit follows a check of the same batch";
  Partition& partition = found->second;
  partition.lease_epoch = std::max(partition.lease_epoch, batch.lease_epoch);
  size_t moved = 0;
  for (size_t group = 0; group < group_count_; ++group) {
    if (applies_[group] != 0) {
      Standing& standing = partition.applied[group];
      if (batch.end > standing.position) {
        standing.position = batch.end;
        standing.records += batch.records;
      }
      ++moved;
    }
  }
  // Groups that move together stay as different as they were.
  if (moved != 0 && moved != group_count_) {
    MergeEqualGroups();
  }
  return SlowestOf(partition, batch.end).position;
}

Standing PositionLedger::SlowestOf(const Partition& partition, Position without_groups) {
  const auto slowest = std::ranges::min_element(partition.applied, {}, &Standing::position);
  return slowest == partition.applied.end() ? Standing{.position = without_groups} : *slowest;
}

void PositionLedger::MergeEqualGroups() {
  // new_group[g] is where group g goes; only the first of several equal ones is kept.
  std::vector<uint32_t> new_group(group_count_, kNotOurs);
  std::vector<uint32_t> kept;
  for (uint32_t group = 0; group < group_count_; ++group) {
    for (uint32_t i = 0; i < kept.size() && new_group[group] == kNotOurs; ++i) {
      const bool equal =
          std::all_of(partitions_.begin(), partitions_.end(), [&](const auto& entry) {
            return entry.second.applied[kept[i]].position == entry.second.applied[group].position;
          });
      if (equal) {
        new_group[group] = i;
      }
    }
    if (new_group[group] == kNotOurs) {
      new_group[group] = static_cast<uint32_t>(kept.size());
      kept.push_back(group);
    }
  }
  if (kept.size() == group_count_) {
    return;
  }
  for (auto& [id, partition] : partitions_) {
    for (size_t i = 0; i < kept.size(); ++i) {
      partition.applied[i] = partition.applied[kept[i]];
    }
    partition.applied.resize(kept.size());
  }
  for (uint32_t& group : group_of_shard_) {
    group = group == kNotOurs ? kNotOurs : new_group[group];
  }
  group_count_ = kept.size();
  applies_.assign(group_count_, 0);
}

void PositionLedger::Save(google::protobuf::RepeatedPtrField<PositionGroup>* groups) const {
  groups->Clear();
  for (size_t group = 0; group < group_count_; ++group) {
    groups->Add();
  }
  for (ShardId shard = 0; shard < group_of_shard_.size(); ++shard) {
    if (group_of_shard_[shard] != kNotOurs) {
      groups->Mutable(static_cast<int>(group_of_shard_[shard]))->add_shards(shard);
    }
  }
  for (const auto& [id, partition] : partitions_) {
    for (size_t group = 0; group < group_count_; ++group) {
      PartitionPosition* position = groups->Mutable(static_cast<int>(group))->add_positions();
      position->set_partition(id);
      position->set_lease_epoch(partition.lease_epoch);
      position->set_applied_through(partition.applied[group].position);
      position->set_records(partition.applied[group].records);
    }
  }
  for (PositionGroup& group : *groups) {
    std::sort(group.mutable_positions()->pointer_begin(), group.mutable_positions()->pointer_end(),
              [](const PartitionPosition* a, const PartitionPosition* b) {
                return a->partition() < b->partition();
              });
  }
}

void PositionLedger::Describe(
    google::protobuf::RepeatedPtrField<PartitionPosition>* positions) const {
  positions->Clear();
  for (const PartitionId id : recent_) {
    const Partition& partition = partitions_.at(id);
    PartitionPosition* position = positions->Add();
    position->set_partition(id);
    position->set_lease_epoch(partition.lease_epoch);
    const Standing slowest = SlowestOf(partition, 0);
    position->set_applied_through(slowest.position);
    position->set_records(slowest.records);
  }
}

}  // namespace antiphon
