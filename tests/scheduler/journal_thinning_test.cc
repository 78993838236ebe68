#include "scheduler/journal_thinning.h"

#include <chrono>
#include <map>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scheduler/conductor.h"
#include "scheduler/journal.h"
#include "tests/support/crashing_file_system.h"
#include "tests/support/fake_clock.h"
#include "tests/support/memory_file_system.h"

namespace antiphon {
namespace {

using ::testing::SizeIs;

JournalRecord LeaseTo(uint64_t worker) {
  JournalRecord record;
  record.mutable_lease()->set_sender(worker);
  return record;
}

JournalRecord ReportOf(uint64_t worker, uint64_t lease_epoch, uint64_t position) {
  JournalRecord record;
  record.mutable_report()->set_sender(worker);
  ReportRequest& request = *record.mutable_report()->mutable_request();
  request.set_partition(3);
  request.set_lease_epoch(lease_epoch);
  request.set_position(position);
  record.mutable_report()->mutable_delta()->set_samples(100);
  return record;
}

// As a scheduler has them at this moment.
std::vector<JournalRecord> Sums(uint64_t samples) {
  std::vector<JournalRecord> sums(2);
  sums[0].mutable_leases()->mutable_book()->set_samples_trained(samples);
  sums[1].mutable_measured()->set_newer_samples(samples);
  return sums;
}

uint64_t SamplesIn(const JournalRecord& record) {
  return record.leases().book().samples_trained();
}

JournalRecord HistoryOf(int recoveries) {
  JournalRecord record;
  for (int i = 0; i < recoveries; ++i) {
    record.mutable_history()->add_recoveries();
  }
  return record;
}

JournalRecord SnapshotOf(uint64_t version) {
  JournalRecord record;
  record.mutable_snapshot()->set_version(version);
  return record;
}

JournalRecord RegistrationOf(uint64_t worker) {
  JournalRecord record;
  record.mutable_registered()->set_sender(worker);
  return record;
}

TEST(JournalThinningTest, SumsTakeThePlaceOfAllLeasesAndReports) {
  const std::vector<JournalRecord> thinned =
      ThinOut({RegistrationOf(1), LeaseTo(1), ReportOf(1, 1, 10), RegistrationOf(2), LeaseTo(2),
               ReportOf(2, 2, 5), ReportOf(1, 1, 20)},
              Sums(600));

  ASSERT_THAT(thinned, SizeIs(4));
  EXPECT_EQ(thinned[0].registered().sender(), 1U);
  EXPECT_EQ(thinned[1].registered().sender(), 2U);
  EXPECT_EQ(SamplesIn(thinned[2]), 600U);
  EXPECT_EQ(thinned[3].measured().newer_samples(), 600U);
}

TEST(JournalThinningTest, LaterSumsTakeThePlaceOfEarlierOnes) {
  std::vector<JournalRecord> records = ThinOut({LeaseTo(1), ReportOf(1, 1, 10)}, Sums(100));
  records.push_back(ReportOf(1, 1, 20));

  const std::vector<JournalRecord> thinned = ThinOut(std::move(records), Sums(200));

  ASSERT_THAT(thinned, SizeIs(2));
  EXPECT_EQ(SamplesIn(thinned[0]), 200U);
  EXPECT_EQ(thinned[1].measured().newer_samples(), 200U);
}

TEST(JournalThinningTest, KeepsTheSnapshotsThatSomebodyMayGoBackTo) {
  std::vector<JournalRecord> records;
  for (uint64_t version = 1; version <= 100; ++version) {
    records.push_back(SnapshotOf(version));
  }

  const std::vector<JournalRecord> thinned = ThinOut(std::move(records), {});

  ASSERT_THAT(thinned, SizeIs(kSnapshotsInJournal));
  EXPECT_EQ(thinned.back().snapshot().version(), 100U);
}

TEST(JournalThinningTest, TheLastHistoryIsEnough) {
  const std::vector<JournalRecord> thinned =
      ThinOut({HistoryOf(1), RegistrationOf(1), HistoryOf(2), RegistrationOf(2)}, {});

  ASSERT_THAT(thinned, SizeIs(3));
  EXPECT_EQ(thinned[1].history().recoveries_size(), 2);
}

// The process dies at each change of the disk that thinning makes.
TEST(JournalThinningTest, AJournalIsTheOldOneOrTheNewOneWheneverTheProcessDies) {
  FakeClock clock;
  for (int dies_at = 1;; ++dies_at) {
    MemoryFileSystem disk;
    size_t before = 0;
    {
      const auto journal = Journal::Open(disk, clock, "/journal");
      ASSERT_TRUE(journal.ok()) << journal.status();
      for (uint64_t position = 10; position <= 100; position += 10) {
        (*journal)->Note(ReportOf(1, 1, position));
      }
      before = (*journal)->bytes();
    }
    EXPECT_EQ(before, ReadWholeFile(disk, "/journal", 1 << 20)->size());
    CrashingFileSystem crashing(disk, dies_at + 1);  // the first change opens the journal
    Status thinned;
    {
      const auto journal = Journal::Open(crashing, clock, "/journal");
      ASSERT_TRUE(journal.ok()) << journal.status();
      thinned = (*journal)->Thin(Sums(1000));
      if (thinned.ok()) {
        EXPECT_LT((*journal)->bytes(), before);
        (*journal)->Note(ReportOf(1, 1, 110));
      }
    }

    const auto reopened = Journal::Open(disk, clock, "/journal");

    ASSERT_TRUE(reopened.ok()) << dies_at << ": " << reopened.status();
    const std::vector<JournalRecord> records = (*reopened)->TakeRecords();
    if (!thinned.ok()) {
      const bool is_new = records.size() == 2 && records.back().has_measured();
      EXPECT_TRUE(is_new || records.size() == 10) << dies_at << ": " << records.size();
      continue;
    }
    if (crashing.changes() > dies_at) {
      continue;  // it died behind the thinning
    }
    ASSERT_THAT(records, SizeIs(3));
    EXPECT_EQ(SamplesIn(records[0]), 1000U);
    EXPECT_TRUE(records[1].has_measured());
    EXPECT_EQ(records[2].report().request().position(), 110U);
    break;
  }
}

// Two workers take turns with three partitions of a stream, whose order depends on all turns
// before.
class StreamOfTurns {
 public:
  explicit StreamOfTurns(Conductor& conductor) : conductor_(conductor) {
    for (const Incarnation worker : {1, 2}) {
      RegisterRequest request;
      request.set_role(ROLE_WORKER);
      EXPECT_TRUE(conductor.Register(request, worker, kNow).ok());
    }
    TrainingPlan plan;
    plan.add_tasks("click");
    plan.mutable_schema()->set_shard_count(1);
    plan.mutable_schema()->set_chunk_floats(64);
    plan.mutable_schema()->add_tables()->set_name("user");
    plan.mutable_schema()->mutable_tables(0)->set_dim(4);
    for (int i = 0; i < 3; ++i) {
      Partition& partition = *plan.add_partitions();
      partition.set_kind(Partition::TRAIN);
      partition.set_open_ended(true);
    }
    EXPECT_TRUE(conductor.GetPlan(1, nullptr, kNow).ok());
    const Status proposed = conductor.ProposePlan(Buffer::Copy(plan.SerializeAsString()), 1, kNow);
    EXPECT_TRUE(proposed.ok()) << proposed;
  }

  // Both workers have a lease now and then; who gives back first differs from turn to turn.
  void Turn() {
    const Incarnation worker = 1 + (++turns_ * 7 % 5 < 2 ? 1 : 0);
    const StatusOr<LeaseReply> lease = conductor_.Lease(LeaseRequest(), worker, kNow);
    ASSERT_TRUE(lease.ok()) << lease.status();
    ASSERT_EQ(lease->action(), LeaseReply::TRAIN);
    ReportRequest report;
    report.set_sequence(++sequence_[worker]);
    report.set_partition(lease->partition());
    report.set_lease_epoch(lease->lease_epoch());
    report.set_position(10 * turns_);
    report.set_records(records_[lease->partition()] += 3);
    report.set_yielded(turns_ % 3 != 0);
    const auto reply = conductor_.Report(report, MetricsDelta(), worker, 1, kNow);
    ASSERT_TRUE(reply.ok()) << reply.status();
    ASSERT_FALSE(reply->revoked());
  }

  static constexpr Time kNow{std::chrono::hours(1)};

 private:
  Conductor& conductor_;
  uint64_t turns_ = 0;
  std::map<Incarnation, uint64_t> sequence_;
  std::map<PartitionId, uint64_t> records_;
};

TEST(JournalThinningTest, AHundredThousandTurnsStayBoundedAndAreAllRemembered) {
  constexpr uint64_t kThinAt = 64 << 10;
  constexpr uint64_t kTurns = 100'000;
  FakeClock clock;
  MemoryFileSystem disk;
  const auto journal = Journal::Open(disk, clock, "/journal");
  ASSERT_TRUE(journal.ok()) << journal.status();
  Conductor before{ConductorOptions()};
  before.Record(**journal);
  StreamOfTurns turns(before);
  JournalRecord ready;
  ready.mutable_ready()->mutable_view()->set_epoch(1);
  (*journal)->Note(ready);
  before.Ready(ready.ready().view(), {});
  for (uint64_t turn = 0; turn < kTurns; ++turn) {
    turns.Turn();
    if ((*journal)->bytes() > kThinAt) {
      const Status thinned = (*journal)->Thin(before.Sums(StreamOfTurns::kNow));
      ASSERT_TRUE(thinned.ok()) << thinned;
      ASSERT_LT((*journal)->bytes(), 8U << 10);
    }
  }
  EXPECT_EQ(before.book()->samples_trained(), 3 * kTurns);

  const auto reopened = Journal::Open(disk, clock, "/journal");
  ASSERT_TRUE(reopened.ok()) << reopened.status();
  Conductor after{ConductorOptions()};
  for (const JournalRecord& record : (*reopened)->TakeRecords()) {
    const Status replayed = after.Replay(record, StreamOfTurns::kNow);
    ASSERT_TRUE(replayed.ok()) << replayed;
  }

  EXPECT_EQ(after.book()->Save().SerializeAsString(), before.book()->Save().SerializeAsString());
  EXPECT_EQ(after.SamplesOf(1) + after.SamplesOf(2), 3 * kTurns);
  EXPECT_EQ(after.SamplesOf(1), before.SamplesOf(1));
  EXPECT_EQ(after.book()->samples_trained(), 3 * kTurns);
}

}  // namespace
}  // namespace antiphon
