// PositionLedger: which batches of the sample stream this lane has applied, so that every one is
// applied exactly once whoever sends it and however often.
//
// The shards of a lane form groups that share one vector of positions. A fresh lane has one group.
// A lane that was restored from the files of other lanes has one group for each of those, because
// they stood at different places of the stream; groups that have caught up with each other merge.
// A state machine without thread or clock: owned by the lane.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "common/base/status.h"
#include "common/base/types.h"
#include "proto/snapshot.pb.h"

namespace antiphon {

// kOff applies everything that comes. It exists so that a test can prove that the sample ledger
// notices; no flag reaches it.
enum class PositionCheck { kOn, kOff };

// The samples [begin, end) of a partition, sent under a lease.
struct BatchPositions {
  PartitionId partition = 0;
  uint64_t lease_epoch = 0;
  Position begin = 0;
  Position end = 0;
  uint64_t records = 0;  // between them: positions of a stream have gaps
};

// How far a group has come in a partition.
struct Standing {
  Position position = 0;  // every sample before it is applied
  uint64_t records = 0;   // so many

  friend bool operator==(const Standing&, const Standing&) = default;
};

// Which groups of the lane a batch is new to.
enum class PushScope { kAllGroups, kSomeGroups, kNoGroup };

class PositionLedger {
 public:
  static constexpr size_t kMaxPartitions = size_t{1} << 20;
  static constexpr size_t kMaxDescribed = 64;

  explicit PositionLedger(PositionCheck check = PositionCheck::kOn) : check_(check) {}

  // Starts from nothing: one group of these shards. A lane without shards has no group, and every
  // batch is then new to none.
  void Reset(uint32_t shard_count, std::span<const ShardId> shards);

  // Starts from what files said; each group of `groups` that has a shard of ours becomes one here.
  // kDataLoss: a shard of ours is in none of them, or in two.
  Status Restore(uint32_t shard_count, std::span<const ShardId> shards,
                 std::span<const PositionGroup> groups);

  // Fences older leases of the partition. Returns where the groups stand, distinct and ascending.
  // kStaleEpoch: a later lease has been opened; kResourceExhausted: too many partitions.
  StatusOr<std::vector<Standing>> Open(PartitionId partition, uint64_t lease_epoch);

  // Decides for each group; changes nothing. kStaleEpoch: the lease is fenced. kPositionGap: the
  // batch begins past what some group has applied. kInvalidArgument: the batch is empty, or cut at
  // other places than the one that a group has applied already.
  StatusOr<PushScope> Check(const BatchPositions& batch);

  // Whether the batch of the last Check is new to the shard.
  bool AppliesTo(ShardId shard) const { return applies_[group_of_shard_[shard]] != 0; }

  // Notes that the batch of the last Check has been applied wherever it was new. Returns how far
  // the slowest group is.
  Position Commit(const BatchPositions& batch);

  // The groups with their shards and positions, for a snapshot.
  void Save(google::protobuf::RepeatedPtrField<PositionGroup>* groups) const;

  // For the status: where the slowest group stands in the partitions opened last.
  void Describe(google::protobuf::RepeatedPtrField<PartitionPosition>* positions) const;

  size_t group_count() const { return group_count_; }

 private:
  struct Partition {
    uint64_t lease_epoch = 0;       // older leases are fenced
    std::vector<Standing> applied;  // by group
  };

  // kResourceExhausted when it would be one too many.
  StatusOr<Partition*> FindOrAdd(PartitionId partition);
  static Standing SlowestOf(const Partition& partition, Position without_groups);
  void MergeEqualGroups();

  PositionCheck check_;
  size_t group_count_ = 0;
  std::vector<uint32_t> group_of_shard_;  // by shard; kNotOurs for those of other lanes
  std::unordered_map<PartitionId, Partition> partitions_;
  std::vector<uint8_t> applies_;     // by group, from the last Check
  std::vector<PartitionId> recent_;  // opened last, the newest at the end; few
};

}  // namespace antiphon
