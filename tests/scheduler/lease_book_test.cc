#include "scheduler/lease_book.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace antiphon {
namespace {

using Answer = LeaseBook::Answer;

void AddPartition(TrainingPlan& plan, Partition::Kind kind, uint32_t stage, uint64_t size) {
  Partition& partition = *plan.add_partitions();
  partition.set_kind(kind);
  partition.set_stage(stage);
  partition.set_epoch(stage / 2);
  partition.set_begin_record(1000);
  partition.set_end_record(1000 + size);
}

// Two partitions of training, one of evaluation, two of training, one of evaluation.
TrainingPlan TwoEpochs() {
  TrainingPlan plan;
  for (uint32_t epoch = 0; epoch < 2; ++epoch) {
    AddPartition(plan, Partition::TRAIN, 2 * epoch, 100);
    AddPartition(plan, Partition::TRAIN, 2 * epoch, 50);
    AddPartition(plan, Partition::EVAL, 2 * epoch + 1, 30);
  }
  return plan;
}

// Leases the next partition to `worker` and finishes it.
void RunOne(LeaseBook& book, Incarnation worker) {
  const LeaseBook::Grant grant = book.Acquire(worker);
  ASSERT_EQ(grant.answer, Answer::kLease);
  const Lease& lease = grant.lease;
  const uint64_t size = book.entries()[lease.partition].size;
  ASSERT_TRUE(book.Report(worker, {lease.partition, lease.lease_epoch, size, size, true}).ok());
}

TEST(LeaseBookTest, HandsOutPartitionsInOrder) {
  LeaseBook book(TwoEpochs());

  EXPECT_EQ(book.Acquire(1).lease.partition, 0u);
  EXPECT_EQ(book.Acquire(2).lease.partition, 1u);
}

TEST(LeaseBookTest, StartsAStageOnlyWhenTheOneBeforeIsDone) {
  LeaseBook book(TwoEpochs());
  RunOne(book, 1);
  const LeaseBook::Grant second = book.Acquire(1);

  EXPECT_EQ(book.Acquire(2).answer, Answer::kWait);
  ASSERT_TRUE(book.Report(1, {1, second.lease.lease_epoch, 50, 50, true}).ok());
  const LeaseBook::Grant evaluation = book.Acquire(2);

  EXPECT_EQ(evaluation.answer, Answer::kLease);
  EXPECT_EQ(evaluation.lease.kind, Partition::EVAL);
  EXPECT_EQ(book.stages_done(), 1u);
}

TEST(LeaseBookTest, GivesTheSameLeaseToAHolderThatAsksAgain) {
  LeaseBook book(TwoEpochs());
  const LeaseBook::Grant first = book.Acquire(1);

  const LeaseBook::Grant again = book.Acquire(1);

  EXPECT_EQ(again.lease.partition, first.lease.partition);
  EXPECT_EQ(again.lease.lease_epoch, first.lease.lease_epoch);
}

TEST(LeaseBookTest, GivesThePartitionOfADeadWorkerToTheNextWithAHigherEpoch) {
  LeaseBook book(TwoEpochs());
  const LeaseBook::Grant first = book.Acquire(1);
  ASSERT_TRUE(book.Report(1, {0, first.lease.lease_epoch, 60, 60, false}).ok());

  book.Release(1);
  const LeaseBook::Grant second = book.Acquire(2);

  EXPECT_EQ(second.lease.partition, first.lease.partition);
  EXPECT_EQ(second.lease.lease_epoch, first.lease.lease_epoch + 1);
}

TEST(LeaseBookTest, RefusesReportsOfARevokedLease) {
  LeaseBook book(TwoEpochs());
  const LeaseBook::Grant first = book.Acquire(1);
  book.Release(1);
  book.Acquire(2);

  const Status status = book.Report(1, {0, first.lease.lease_epoch, 100, 100, true});

  EXPECT_EQ(status.code(), StatusCode::kStaleEpoch);
  EXPECT_FALSE(book.entries()[0].done);
  EXPECT_EQ(book.samples_trained(), 0u);
}

TEST(LeaseBookTest, RefusesAPositionPastTheEnd) {
  LeaseBook book(TwoEpochs());
  const LeaseBook::Grant grant = book.Acquire(1);

  EXPECT_EQ(book.Report(1, {0, grant.lease.lease_epoch, 101, 101, false}).code(),
            StatusCode::kOutOfRange);
  EXPECT_EQ(book.Report(1, {77, 1, 0, 0, false}).code(), StatusCode::kStaleEpoch);
}

TEST(LeaseBookTest, CountsEachPositionOnceAcrossLeases) {
  LeaseBook book(TwoEpochs());
  const LeaseBook::Grant first = book.Acquire(1);
  ASSERT_TRUE(book.Report(1, {0, first.lease.lease_epoch, 60, 60, false}).ok());
  book.Release(1);
  const LeaseBook::Grant second = book.Acquire(2);

  ASSERT_TRUE(book.Report(2, {0, second.lease.lease_epoch, 40, 40, false}).ok());
  ASSERT_TRUE(book.Report(2, {0, second.lease.lease_epoch, 100, 100, true}).ok());

  EXPECT_EQ(book.samples_trained(), 100u);
}

TEST(LeaseBookTest, CountsNoEvaluationAsTraining) {
  LeaseBook book(TwoEpochs());
  for (int i = 0; i < 6; ++i) {
    RunOne(book, 1);
  }

  EXPECT_TRUE(book.finished());
  EXPECT_EQ(book.Acquire(1).answer, Answer::kFinished);
  EXPECT_EQ(book.samples_trained(), 300u);
  EXPECT_EQ(book.SamplesPlanned(), 300u);
  EXPECT_EQ(book.partitions_done(), 6u);
}

TEST(LeaseBookTest, ResumesWhereASnapshotStood) {
  LeaseBook before(TwoEpochs());
  for (int i = 0; i < 4; ++i) {
    RunOne(before, 1);
  }
  const LeaseBook::Grant running = before.Acquire(1);
  ASSERT_TRUE(before.Report(1, {4, running.lease.lease_epoch, 20, 30, false}).ok());

  LeaseBook after(TwoEpochs());
  after.Resume(before.Progress());
  const LeaseBook::Grant grant = after.Acquire(9);

  EXPECT_EQ(grant.lease.partition, 4u);
  EXPECT_EQ(grant.lease.lease_epoch, 2u);
  EXPECT_EQ(after.SamplesPlanned(), 30u);
  ASSERT_TRUE(after.Report(9, {4, 2, 50, 50, true}).ok());
  EXPECT_EQ(after.samples_trained(), 30u);
}

TEST(LeaseBookTest, RunsAnEvaluationAgainWhenNoTrainingFollowedIt) {
  LeaseBook before(TwoEpochs());
  for (int i = 0; i < 6; ++i) {
    RunOne(before, 1);
  }

  LeaseBook after(TwoEpochs());
  after.Resume(before.Progress());

  EXPECT_FALSE(after.finished());
  EXPECT_EQ(after.Acquire(1).lease.partition, 5u);
  EXPECT_EQ(after.Acquire(2).answer, Answer::kWait);
}

// A lane goes back to what `before` knew; what has been done since is open again.
TEST(LeaseBookTest, OpensAgainWhatASnapshotDidNotHold) {
  LeaseBook book(TwoEpochs());
  RunOne(book, 1);
  const std::vector<PartitionProgress> kept = book.Progress();
  for (int i = 0; i < 3; ++i) {
    RunOne(book, 1);
  }
  const LeaseBook::Grant revoked = book.Acquire(1);

  book.Rewind(kept);

  EXPECT_EQ(
      book.Report(1, {revoked.lease.partition, revoked.lease.lease_epoch, 50, 50, true}).code(),
      StatusCode::kStaleEpoch);
  EXPECT_EQ(book.stages_done(), 0u);
  EXPECT_EQ(book.partitions_done(), 2u);  // the first partition, and the evaluation
  EXPECT_EQ(book.replay_samples(), 150u);
  EXPECT_EQ(book.Acquire(1).lease.partition, 1u);
  EXPECT_EQ(book.Acquire(2).answer, Answer::kWait);
}

TEST(LeaseBookTest, CountsNoSampleTwiceAfterARewind) {
  LeaseBook book(TwoEpochs());
  const LeaseBook::Grant first = book.Acquire(1);
  ASSERT_TRUE(book.Report(1, {0, first.lease.lease_epoch, 60, 70, false}).ok());
  book.Rewind({});

  const LeaseBook::Grant second = book.Acquire(1);
  ASSERT_EQ(second.lease.partition, 0u);
  EXPECT_GT(second.lease.lease_epoch, first.lease.lease_epoch);
  EXPECT_EQ(book.entries()[0].measured, 70u);
  ASSERT_TRUE(book.Report(1, {0, second.lease.lease_epoch, 40, 70, false}).ok());
  EXPECT_EQ(book.samples_trained(), 60u);
  EXPECT_EQ(book.replay_samples(), 20u);
  ASSERT_TRUE(book.Report(1, {0, second.lease.lease_epoch, 100, 100, true}).ok());

  EXPECT_EQ(book.samples_trained(), 100u);
  EXPECT_EQ(book.replay_samples(), 0u);
}

TEST(LeaseBookTest, GoesBackToTheBeginningWithoutASnapshot) {
  LeaseBook book(TwoEpochs());
  for (int i = 0; i < 6; ++i) {
    RunOne(book, 1);
  }
  ASSERT_TRUE(book.finished());

  book.Rewind({});

  EXPECT_FALSE(book.finished());
  EXPECT_FALSE(book.training_done());
  EXPECT_EQ(book.replay_samples(), 300u);
  for (const PartitionId partition : {0U, 1U, 3U, 4U}) {
    EXPECT_EQ(book.Acquire(1).lease.partition, partition);  // no evaluation a second time
    RunOne(book, 1);
  }
  EXPECT_TRUE(book.finished());
  EXPECT_EQ(book.samples_trained(), 300u);
}

// One file, then two streams.
TrainingPlan FileAndStreams() {
  TrainingPlan plan;
  AddPartition(plan, Partition::TRAIN, 0, 100);
  for (int i = 0; i < 2; ++i) {
    Partition& stream = *plan.add_partitions();
    stream.set_stage(2);
    stream.set_epoch(1);
    stream.set_open_ended(true);
  }
  return plan;
}

Status Yield(LeaseBook& book, Incarnation worker, const Lease& lease, uint64_t position,
             uint64_t records) {
  return book.Report(worker, {.partition = lease.partition,
                              .lease_epoch = lease.lease_epoch,
                              .position = position,
                              .yielded = true,
                              .records = records});
}

TEST(LeaseBookTest, HandsStreamsOutInTurnAfterTheFiles) {
  LeaseBook book(FileAndStreams());
  RunOne(book, 1);

  std::vector<PartitionId> leased;
  for (int i = 0; i < 4; ++i) {
    const Lease lease = book.Acquire(1).lease;
    leased.push_back(lease.partition);
    ASSERT_TRUE(Yield(book, 1, lease, 0, 0).ok());
  }

  EXPECT_THAT(leased, ::testing::ElementsAre(1, 2, 1, 2));
}

TEST(LeaseBookTest, CountsTheRecordsOfStreamsAndNotTheirPositions) {
  LeaseBook book(FileAndStreams());
  RunOne(book, 1);
  Lease lease = book.Acquire(1).lease;
  ASSERT_TRUE(Yield(book, 1, lease, uint64_t{7} << 40, 60).ok());
  lease = book.Acquire(1).lease;
  ASSERT_TRUE(Yield(book, 1, lease, 500, 3).ok());

  EXPECT_EQ(book.samples_trained(), 163u);
  EXPECT_EQ(book.SamplesPlanned(), 163u);
}

TEST(LeaseBookTest, EndsWhenEveryStreamHasEnded) {
  LeaseBook book(FileAndStreams());
  RunOne(book, 1);
  const Lease first = book.Acquire(1).lease;
  const Lease second = book.Acquire(2).lease;
  ASSERT_TRUE(book.Report(1, {.partition = 1,
                              .lease_epoch = first.lease_epoch,
                              .position = 900,
                              .done = true,
                              .records = 9})
                  .ok());

  EXPECT_FALSE(book.finished());
  EXPECT_EQ(book.Acquire(1).answer, Answer::kWait);
  ASSERT_TRUE(
      book.Report(2, {.partition = 2, .lease_epoch = second.lease_epoch, .done = true}).ok());

  EXPECT_TRUE(book.finished());
  EXPECT_EQ(book.samples_trained(), 109u);
}

TEST(LeaseBookTest, TakesBackNoFileBeforeItsEnd) {
  LeaseBook book(FileAndStreams());
  const Lease lease = book.Acquire(1).lease;

  EXPECT_EQ(Yield(book, 1, lease, 10, 10).code(), StatusCode::kInvalidArgument);
  EXPECT_NE(book.LeaseOf(1), nullptr);
}

TEST(LeaseBookTest, RewindsAStreamByItsRecords) {
  LeaseBook book(FileAndStreams());
  RunOne(book, 1);
  ASSERT_TRUE(Yield(book, 1, book.Acquire(1).lease, uint64_t{7} << 40, 60).ok());
  const std::vector<PartitionProgress> kept = book.Progress();
  ASSERT_TRUE(Yield(book, 1, book.Acquire(1).lease, 500, 3).ok());
  ASSERT_TRUE(Yield(book, 1, book.Acquire(1).lease, uint64_t{9} << 40, 90).ok());

  book.Rewind(kept);

  EXPECT_EQ(book.replay_samples(), 33u);
  EXPECT_EQ(book.samples_trained(), 193u);
  ASSERT_TRUE(Yield(book, 1, book.Acquire(1).lease, uint64_t{9} << 40, 90).ok());
  ASSERT_TRUE(Yield(book, 1, book.Acquire(1).lease, 900, 5).ok());
  EXPECT_EQ(book.replay_samples(), 0u);
  EXPECT_EQ(book.samples_trained(), 195u);
}

TEST(LeaseBookTest, SkipsAnEmptyPlanToItsEnd) {
  LeaseBook book{TrainingPlan()};

  EXPECT_TRUE(book.finished());
  EXPECT_EQ(book.Acquire(1).answer, Answer::kFinished);
}

}  // namespace
}  // namespace antiphon
