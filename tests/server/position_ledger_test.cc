#include "server/position_ledger.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace antiphon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr uint32_t kShards = 4;
const std::vector<ShardId> kAllShards = {0, 1, 2, 3};

BatchPositions Batch(Position begin, Position end, uint64_t lease_epoch = 1) {
  return {.partition = 7, .lease_epoch = lease_epoch, .begin = begin, .end = end};
}

PositionGroup Group(std::vector<uint32_t> shards, Position applied_through,
                    uint64_t lease_epoch = 1) {
  PositionGroup group;
  for (const uint32_t shard : shards) {
    group.add_shards(shard);
  }
  PartitionPosition* position = group.add_positions();
  position->set_partition(7);
  position->set_lease_epoch(lease_epoch);
  position->set_applied_through(applied_through);
  return group;
}

PositionLedger FreshLedger(PositionCheck check = PositionCheck::kOn) {
  PositionLedger ledger(check);
  ledger.Reset(kShards, kAllShards);
  EXPECT_TRUE(ledger.Open(7, 1).ok());
  return ledger;
}

// Shards 0 and 1 stand at 20, shards 2 and 3 at 10.
PositionLedger TwoGroupLedger() {
  PositionLedger ledger;
  EXPECT_TRUE(
      ledger.Restore(kShards, kAllShards, std::vector{Group({0, 1}, 20), Group({2, 3}, 10)}).ok());
  return ledger;
}

std::vector<Position> PositionsOf(const std::vector<Standing>& standings) {
  std::vector<Position> positions;
  for (const Standing& standing : standings) {
    positions.push_back(standing.position);
  }
  return positions;
}

PushScope Apply(PositionLedger& ledger, const BatchPositions& batch) {
  const StatusOr<PushScope> scope = ledger.Check(batch);
  EXPECT_TRUE(scope.ok()) << scope.status();
  ledger.Commit(batch);
  return scope.value();
}

TEST(PositionLedgerTest, AppliesEachBatchOnce) {
  PositionLedger ledger = FreshLedger();

  EXPECT_EQ(Apply(ledger, Batch(0, 10)), PushScope::kAllGroups);
  EXPECT_EQ(Apply(ledger, Batch(0, 10)), PushScope::kNoGroup);
  EXPECT_EQ(Apply(ledger, Batch(10, 20)), PushScope::kAllGroups);
  EXPECT_EQ(Apply(ledger, Batch(0, 10)), PushScope::kNoGroup);
}

TEST(PositionLedgerTest, ChangesNothingBeforeCommit) {
  PositionLedger ledger = FreshLedger();

  ASSERT_TRUE(ledger.Check(Batch(0, 10)).ok());

  EXPECT_EQ(Apply(ledger, Batch(0, 10)), PushScope::kAllGroups);
}

TEST(PositionLedgerTest, NamesBothPositionsOfAGap) {
  PositionLedger ledger = FreshLedger();
  Apply(ledger, Batch(0, 10));

  const StatusOr<PushScope> scope = ledger.Check(Batch(15, 20));

  ASSERT_EQ(scope.status().code(), StatusCode::kPositionGap);
  EXPECT_THAT(scope.status().message(), HasSubstr("[15, 20) of partition 7"));
  EXPECT_THAT(scope.status().message(), HasSubstr("position 10"));
}

TEST(PositionLedgerTest, RefusesBatchThatIsCutElsewhere) {
  PositionLedger ledger = FreshLedger();
  Apply(ledger, Batch(0, 10));

  EXPECT_EQ(ledger.Check(Batch(5, 15)).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(ledger.Check(Batch(10, 10)).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(ledger.Check(Batch(12, 10)).status().code(), StatusCode::kInvalidArgument);
}

TEST(PositionLedgerTest, RefusesPartitionThatWasNeverOpened) {
  PositionLedger ledger;
  ledger.Reset(kShards, kAllShards);

  EXPECT_EQ(ledger.Check(Batch(0, 10)).status().code(), StatusCode::kFailedPrecondition);
}

TEST(PositionLedgerTest, FencesOlderLeases) {
  PositionLedger ledger = FreshLedger();
  Apply(ledger, Batch(0, 10, 1));

  const StatusOr<std::vector<Standing>> opened = ledger.Open(7, 2);

  ASSERT_TRUE(opened.ok());
  EXPECT_THAT(PositionsOf(*opened), ElementsAre(10));
  EXPECT_EQ(ledger.Check(Batch(10, 20, 1)).status().code(), StatusCode::kStaleEpoch);
  EXPECT_EQ(ledger.Open(7, 1).status().code(), StatusCode::kStaleEpoch);
  EXPECT_EQ(Apply(ledger, Batch(10, 20, 2)), PushScope::kAllGroups);
}

TEST(PositionLedgerTest, OpensTheSameLeaseAgain) {
  PositionLedger ledger = FreshLedger();
  Apply(ledger, Batch(0, 10));

  const StatusOr<std::vector<Standing>> opened = ledger.Open(7, 1);

  ASSERT_TRUE(opened.ok());
  EXPECT_THAT(PositionsOf(*opened), ElementsAre(10));
}

TEST(PositionLedgerTest, FencesWithTheLeaseOfAPushToo) {
  PositionLedger ledger = FreshLedger();
  Apply(ledger, Batch(0, 10, 5));

  EXPECT_EQ(ledger.Check(Batch(10, 20, 4)).status().code(), StatusCode::kStaleEpoch);
}

TEST(PositionLedgerTest, AppliesOnlyToTheGroupThatIsBehind) {
  PositionLedger ledger = TwoGroupLedger();

  const StatusOr<PushScope> scope = ledger.Check(Batch(10, 15));

  ASSERT_TRUE(scope.ok());
  EXPECT_EQ(*scope, PushScope::kSomeGroups);
  EXPECT_FALSE(ledger.AppliesTo(0));
  EXPECT_FALSE(ledger.AppliesTo(1));
  EXPECT_TRUE(ledger.AppliesTo(2));
  EXPECT_TRUE(ledger.AppliesTo(3));
}

TEST(PositionLedgerTest, OpensAtEveryDistinctPosition) {
  PositionLedger ledger = TwoGroupLedger();

  const StatusOr<std::vector<Standing>> opened = ledger.Open(7, 3);

  ASSERT_TRUE(opened.ok());
  EXPECT_THAT(PositionsOf(*opened), ElementsAre(10, 20));
}

TEST(PositionLedgerTest, MergesGroupsThatCaughtUp) {
  PositionLedger ledger = TwoGroupLedger();
  ASSERT_EQ(ledger.group_count(), 2u);

  EXPECT_EQ(Apply(ledger, Batch(10, 15)), PushScope::kSomeGroups);
  EXPECT_EQ(ledger.group_count(), 2u);
  EXPECT_EQ(Apply(ledger, Batch(15, 20)), PushScope::kSomeGroups);
  EXPECT_EQ(ledger.group_count(), 1u);
  EXPECT_EQ(Apply(ledger, Batch(20, 30)), PushScope::kAllGroups);
}

TEST(PositionLedgerTest, KeepsGroupsApartThatDifferInAnotherPartition) {
  PositionGroup ahead = Group({0, 1}, 20);
  PartitionPosition* other = ahead.add_positions();
  other->set_partition(8);
  other->set_applied_through(4);
  PositionLedger ledger;
  ASSERT_TRUE(ledger.Restore(kShards, kAllShards, std::vector{ahead, Group({2, 3}, 10)}).ok());

  Apply(ledger, Batch(10, 20));

  EXPECT_EQ(ledger.group_count(), 2u);
}

TEST(PositionLedgerTest, RefusesGapOfTheSlowestGroup) {
  PositionLedger ledger = TwoGroupLedger();

  EXPECT_EQ(ledger.Check(Batch(20, 30)).status().code(), StatusCode::kPositionGap);
}

TEST(PositionLedgerTest, RestoresWhatItSaved) {
  PositionLedger ledger = TwoGroupLedger();
  google::protobuf::RepeatedPtrField<PositionGroup> saved;

  ledger.Save(&saved);

  ASSERT_EQ(saved.size(), 2);
  EXPECT_THAT(saved[0].shards(), ElementsAre(0, 1));
  EXPECT_THAT(saved[1].shards(), ElementsAre(2, 3));
  PositionLedger restored;
  ASSERT_TRUE(restored.Restore(kShards, kAllShards, {saved.data()[0], 1}).code() ==
              StatusCode::kDataLoss);
  const std::vector<PositionGroup> groups(saved.begin(), saved.end());
  ASSERT_TRUE(restored.Restore(kShards, kAllShards, groups).ok());
  EXPECT_THAT(PositionsOf(*restored.Open(7, 2)), ElementsAre(10, 20));
}

TEST(PositionLedgerTest, RestoresOnlyGroupsWithShardsOfItsOwn) {
  PositionLedger ledger;

  ASSERT_TRUE(ledger
                  .Restore(kShards, std::vector<ShardId>{3},
                           std::vector{Group({0, 1}, 20), Group({2, 3}, 10)})
                  .ok());

  EXPECT_EQ(ledger.group_count(), 1u);
  EXPECT_THAT(PositionsOf(*ledger.Open(7, 2)), ElementsAre(10));
}

TEST(PositionLedgerTest, RestoreNamesMissingAndDoubledShards) {
  PositionLedger ledger;

  const Status missing = ledger.Restore(kShards, kAllShards, std::vector{Group({0, 1, 3}, 20)});
  const Status doubled =
      ledger.Restore(kShards, kAllShards, std::vector{Group({0, 1, 2}, 1), Group({2, 3}, 1)});

  EXPECT_EQ(missing.code(), StatusCode::kDataLoss);
  EXPECT_THAT(missing.message(), HasSubstr("shard 2 is in no file"));
  EXPECT_EQ(doubled.code(), StatusCode::kDataLoss);
  EXPECT_THAT(doubled.message(), HasSubstr("shard 2 is in two files"));
}

TEST(PositionLedgerTest, KeepsItsStateWhenARestoreFails) {
  PositionLedger ledger = FreshLedger();
  Apply(ledger, Batch(0, 10));

  ASSERT_FALSE(ledger.Restore(kShards, kAllShards, std::vector{Group({0}, 50)}).ok());

  EXPECT_THAT(PositionsOf(*ledger.Open(7, 1)), ElementsAre(10));
}

TEST(PositionLedgerTest, LaneWithoutShardsSkipsEverything) {
  PositionLedger ledger;
  ledger.Reset(kShards, {});

  EXPECT_THAT(*ledger.Open(7, 1), IsEmpty());
  ASSERT_EQ(*ledger.Check(Batch(30, 40)), PushScope::kNoGroup);
  EXPECT_EQ(ledger.Commit(Batch(30, 40)), 40u);
}

TEST(PositionLedgerTest, AppliesTwiceWhenTheCheckIsOff) {
  PositionLedger ledger = FreshLedger(PositionCheck::kOff);

  EXPECT_EQ(Apply(ledger, Batch(0, 10)), PushScope::kAllGroups);
  EXPECT_EQ(Apply(ledger, Batch(0, 10)), PushScope::kAllGroups);
}

TEST(PositionLedgerTest, DescribesThePartitionsOpenedLast) {
  PositionLedger ledger;
  ledger.Reset(kShards, kAllShards);
  for (PartitionId partition = 0; partition < PositionLedger::kMaxDescribed + 7; ++partition) {
    ASSERT_TRUE(ledger.Open(partition, 3).ok());
  }
  Apply(ledger, Batch(0, 10, 3));

  google::protobuf::RepeatedPtrField<PartitionPosition> positions;
  ledger.Describe(&positions);

  ASSERT_EQ(positions.size(), static_cast<int>(PositionLedger::kMaxDescribed));
  EXPECT_EQ(positions[0].partition(), 7u);
  EXPECT_EQ(positions[0].lease_epoch(), 3u);
  EXPECT_EQ(positions[0].applied_through(), 10u);
}

TEST(PositionLedgerTest, CountsRecordsWherePositionsHaveGaps) {
  PositionLedger ledger = TwoGroupLedger();
  ASSERT_TRUE(ledger.Open(7, 2).ok());
  BatchPositions batch = Batch(10, 20, 2);
  batch.records = 3;

  Apply(ledger, batch);
  Apply(ledger, batch);
  batch = Batch(20, 9000, 2);
  batch.records = 4;
  Apply(ledger, batch);

  EXPECT_THAT(*ledger.Open(7, 3), ElementsAre(Standing{.position = 9000, .records = 24}));
}

TEST(PositionLedgerTest, BoundsThePartitionsItKeeps) {
  PositionLedger ledger;
  ledger.Reset(kShards, kAllShards);
  for (PartitionId partition = 0; partition < PositionLedger::kMaxPartitions; ++partition) {
    ASSERT_TRUE(ledger.Open(partition, 1).ok());
  }

  EXPECT_EQ(ledger.Open(PositionLedger::kMaxPartitions, 1).status().code(),
            StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace antiphon
