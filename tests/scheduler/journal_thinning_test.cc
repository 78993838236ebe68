#include "scheduler/journal_thinning.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/math/age_histogram.h"
#include "scheduler/journal.h"
#include "tests/support/crashing_file_system.h"
#include "tests/support/fake_clock.h"
#include "tests/support/memory_file_system.h"

namespace antiphon {
namespace {

using ::testing::ElementsAre;
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

MetricsState Samples(uint64_t samples) {
  MetricsState state;
  state.set_newer_samples(samples);
  return state;
}

std::vector<uint64_t> PositionsOf(const std::vector<JournalRecord>& records) {
  std::vector<uint64_t> positions;
  for (const JournalRecord& record : records) {
    if (record.has_report()) {
      EXPECT_FALSE(record.report().has_delta());
      positions.push_back(record.report().request().position());
    }
  }
  return positions;
}

TEST(JournalThinningTest, KeepsTheLastReportOfEachLeaseWithoutWhatItMeasured) {
  const std::vector<JournalRecord> thinned =
      ThinOut({LeaseTo(1), ReportOf(1, 1, 10), LeaseTo(2), ReportOf(2, 2, 5), ReportOf(1, 1, 20),
               LeaseTo(1), ReportOf(1, 3, 30), ReportOf(2, 2, 15)},
              Samples(600), 0);

  EXPECT_THAT(PositionsOf(thinned), ElementsAre(20, 30, 15));
  ASSERT_THAT(thinned, SizeIs(7));
  EXPECT_EQ(thinned[0].lease().sender(), 1U);
  EXPECT_EQ(thinned[1].lease().sender(), 2U);
  EXPECT_EQ(thinned[3].lease().sender(), 1U);
  EXPECT_EQ(thinned.back().measured().newer_samples(), 600U);
}

TEST(JournalThinningTest, OneRecordHasAllThatWasEverMeasured) {
  std::vector<JournalRecord> records = ThinOut({LeaseTo(1), ReportOf(1, 1, 10)}, Samples(100), 0);
  records.push_back(ReportOf(1, 1, 20));

  const std::vector<JournalRecord> thinned = ThinOut(std::move(records), Samples(200), 0);

  ASSERT_THAT(thinned, SizeIs(3));
  EXPECT_THAT(PositionsOf(thinned), ElementsAre(20));
  EXPECT_EQ(thinned.back().measured().newer_samples(), 200U);
}

JournalRecord AgesAt(int64_t wall_seconds, uint64_t position, int64_t age_ms) {
  JournalRecord record = ReportOf(1, 1, position);
  record.set_wall_seconds(wall_seconds);
  AgeHistogram ages;
  ages.Add(age_ms);
  ages.ToProto(*record.mutable_report()->mutable_delta()->mutable_ages());
  return record;
}

TEST(JournalThinningTest, AgesThatNoSnapshotHasStayWithTheLastReport) {
  std::vector<JournalRecord> records = {LeaseTo(1), AgesAt(999, 10, 1), AgesAt(1000, 20, 500),
                                        AgesAt(1060, 30, 70'000)};

  const std::vector<JournalRecord> thinned =
      ThinOut(ThinOut(std::move(records), Samples(300), 1000), Samples(300), 1000);

  ASSERT_THAT(thinned, SizeIs(3));
  const StatusOr<AgeHistogram> ages = AgeHistogram::FromProto(thinned[1].report().delta().ages());
  ASSERT_TRUE(ages.ok()) << ages.status();
  EXPECT_EQ(ages->count(), 2U) << "those of second 999 are in a snapshot";
  EXPECT_NEAR(ages->Quantile(0.5), 60'500, 12'000);
  EXPECT_NEAR(ages->Quantile(1), 70'000, 14'000);
  EXPECT_FALSE(thinned[1].report().delta().has_samples());
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
      thinned = (*journal)->Thin(Samples(1000), 0);
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
    EXPECT_TRUE(records[1].has_measured());
    EXPECT_EQ(records[2].report().request().position(), 110U);
    break;
  }
}

}  // namespace
}  // namespace antiphon
