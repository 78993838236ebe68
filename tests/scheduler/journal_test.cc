#include "scheduler/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scheduler/conductor.h"
#include "scheduler/journal_summary.h"
#include "tests/scheduler/scheduler_cluster.h"

namespace antiphon {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

JournalRecord Gone(Incarnation who) {
  JournalRecord record;
  record.mutable_gone()->set_sender(who);
  return record;
}

class JournalTest : public ::testing::Test {
 protected:
  StatusOr<std::vector<JournalRecord>> Reopen() {
    StatusOr<std::unique_ptr<Journal>> journal = Journal::Open(fs_, clock_, "/journal");
    if (!journal.ok()) {
      return journal.status();
    }
    return (*journal)->TakeRecords();
  }
  void WriteTwo() {
    const auto journal = Journal::Open(fs_, clock_, "/journal");
    ASSERT_TRUE(journal.ok());
    (*journal)->Note(Gone(1));
    (*journal)->Note(Gone(2));
    ASSERT_TRUE((*journal)->status().ok());
    bytes_ = *ReadWholeFile(fs_, "/journal", 1 << 20);
  }

  FakeClock clock_;
  MemoryFileSystem fs_;
  std::string bytes_;
};

TEST_F(JournalTest, GivesBackWhatWasNoted) {
  WriteTwo();

  const auto records = Reopen();

  ASSERT_TRUE(records.ok()) << records.status();
  ASSERT_THAT(*records, SizeIs(2));
  EXPECT_EQ((*records)[1].gone().sender(), 2u);
}

TEST_F(JournalTest, DropsALastRecordThatWasCutShortAtAnyByte) {
  WriteTwo();
  const size_t first = bytes_.size() / 2;
  for (size_t size = first; size < bytes_.size(); ++size) {
    ASSERT_TRUE(WriteFileAtomically(fs_, "/journal", bytes_.substr(0, size)).ok());

    const auto records = Reopen();

    ASSERT_TRUE(records.ok()) << size << ": " << records.status();
    EXPECT_THAT(*records, SizeIs(1)) << size;
    EXPECT_EQ(ReadWholeFile(fs_, "/journal", 1 << 20)->size(), first);
  }
}

TEST_F(JournalTest, RefusesABrokenRecordAndNamesItsPlace) {
  WriteTwo();
  for (const size_t at : {size_t{0}, size_t{13}}) {
    std::string broken = bytes_;
    broken[at] = static_cast<char>(broken[at] ^ 1);
    ASSERT_TRUE(WriteFileAtomically(fs_, "/journal", broken).ok());

    const Status status = Reopen().status();

    EXPECT_EQ(status.code(), StatusCode::kDataLoss);
    EXPECT_THAT(status.message(), HasSubstr("/journal, byte 0: the checksum of a record"));
  }
}

TEST_F(JournalTest, DropsRoomThatWasNeverWritten) {
  WriteTwo();
  ASSERT_TRUE(WriteFileAtomically(fs_, "/journal", bytes_ + std::string(100, '\0')).ok());

  EXPECT_THAT(*Reopen(), SizeIs(2));
}

SchedulerOptions WithJournal() {
  SchedulerOptions options;
  options.journal_path = "/journal";
  return options;
}

TEST(SchedulerJournalTest, AnotherSchedulerGoesOnWhereTheFirstOneStood) {
  SchedulerCluster cluster(WithJournal());
  ASSERT_TRUE(cluster.Start().ok());
  cluster.Build();
  const auto first = cluster.LeaseTo(1);
  ASSERT_TRUE(first.ok());
  ASSERT_TRUE(cluster.Report(1, *first, 100, true, 1, ClickDelta(100, 30)).ok());
  const auto second = cluster.LeaseTo(1);
  ASSERT_TRUE(cluster.Report(1, *second, 40, false, 2, ClickDelta(40, 10)).ok());
  const int configured = cluster.lane(0).requests(METHOD_CONFIGURE);

  cluster.Kill();
  cluster.Run(seconds(30));
  ASSERT_TRUE(cluster.Start().ok());
  cluster.Run(seconds(1));

  const ClusterStatus status = cluster.scheduler().status();
  EXPECT_EQ(status.state(), JOB_RUNNING);
  EXPECT_EQ(status.samples_trained(), 140u);
  EXPECT_EQ(status.metrics(0).samples(), 140);
  for (const NodeStatus& node : status.nodes()) {
    EXPECT_EQ(node.health(), NodeStatus::ALIVE);
  }
  EXPECT_EQ(cluster.lane(0).requests(METHOD_CONFIGURE), configured);  // lanes notice nothing
  // A report whose answer was lost counts once; the lease is still the worker's.
  ASSERT_TRUE(cluster.Report(1, *second, 40, false, 2, ClickDelta(40, 10)).ok());
  const auto again = cluster.LeaseTo(1);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->partition(), second->partition());
  EXPECT_EQ(again->lease_epoch(), second->lease_epoch());
  EXPECT_EQ(cluster.scheduler().status().samples_trained(), 140u);
}

TEST(SchedulerJournalTest, NothingIsForgottenWhenTheJournalIsThinnedOut) {
  SchedulerOptions options = WithJournal();
  options.journal_thin_bytes = 1;
  SchedulerCluster cluster(options);
  ASSERT_TRUE(cluster.Start().ok());
  cluster.Build();
  const auto first = cluster.LeaseTo(1);
  ASSERT_TRUE(first.ok());
  uint64_t sequence = 0;
  for (const uint64_t position : {20, 50, 90}) {
    ASSERT_TRUE(
        cluster.Report(1, *first, position, false, ++sequence, ClickDelta(position, 10)).ok());
    cluster.Run(milliseconds(10));
  }
  ASSERT_TRUE(cluster.Report(1, *first, 100, true, ++sequence, ClickDelta(10, 10)).ok());
  const auto second = cluster.LeaseTo(1);
  ASSERT_TRUE(cluster.Report(1, *second, 40, false, ++sequence, ClickDelta(40, 10)).ok());
  const ClusterStatus before = cluster.scheduler().status();

  cluster.Kill();
  ASSERT_TRUE(cluster.Start().ok());
  cluster.Run(seconds(1));

  const ClusterStatus after = cluster.scheduler().status();
  EXPECT_EQ(after.samples_trained(), 140U);
  ASSERT_EQ(after.metrics_size(), before.metrics_size());
  for (int i = 0; i < before.metrics_size(); ++i) {
    EXPECT_EQ(after.metrics(i).SerializeAsString(), before.metrics(i).SerializeAsString());
  }
  ASSERT_TRUE(cluster.Report(1, *second, 40, false, sequence, ClickDelta(40, 10)).ok());
  EXPECT_EQ(cluster.scheduler().status().samples_trained(), 140U) << "it was a repeated one";
  EXPECT_EQ(cluster.LeaseTo(1)->lease_epoch(), second->lease_epoch());
}

TEST(SchedulerJournalTest, PastRecoveriesAreStillShownAndOneThatWasUnderWayGoesOn) {
  SchedulerCluster cluster(WithJournal());
  ASSERT_TRUE(cluster.Start().ok());
  cluster.Build();
  cluster.Silence(SchedulerCluster::kServer);
  cluster.Run(seconds(4));
  ASSERT_TRUE(cluster.RegisterServer(2).ok());
  cluster.Run(seconds(1));
  cluster.Silence(SchedulerCluster::kServer + 1);
  cluster.Run(seconds(4));
  const ClusterStatus before = cluster.scheduler().status();
  ASSERT_EQ(before.recoveries_size(), 2);
  ASSERT_TRUE(before.recoveries(0).has_relearned_after());
  ASSERT_FALSE(before.recoveries(1).has_replaced_after());

  cluster.Kill();
  ASSERT_TRUE(cluster.Start().ok());
  cluster.Run(seconds(3));
  EXPECT_EQ(cluster.scheduler().status().recoveries_size(), 2) << "the same loss is one";
  ASSERT_TRUE(cluster.RegisterServer(3).ok());
  cluster.Run(seconds(1));

  const ClusterStatus after = cluster.scheduler().status();
  ASSERT_EQ(after.recoveries_size(), 2);
  EXPECT_EQ(after.recoveries(0).SerializeAsString(), before.recoveries(0).SerializeAsString());
  EXPECT_EQ(after.recoveries(1).lost(), before.recoveries(1).lost());
  EXPECT_GE(after.recoveries(1).serving_after(), after.recoveries(1).replaced_after());
  EXPECT_GT(after.recoveries(1).replaced_after(), 3.0) << "counted from the loss on";
}

TEST(SchedulerJournalTest, EachSchedulerSaysWhichOneItIs) {
  SchedulerOptions options;
  options.journal_path = "/journal";
  SchedulerCluster cluster(options);
  ASSERT_TRUE(cluster.Start().ok());
  cluster.Build();
  cluster.Run(seconds(1));
  EXPECT_EQ(cluster.LastBeat(1)->scheduler_epoch(), 1u);

  cluster.Kill();
  ASSERT_TRUE(cluster.Start().ok());
  cluster.Run(seconds(1));

  EXPECT_EQ(cluster.LastBeat(1)->scheduler_epoch(), 2u);
  EXPECT_EQ(cluster.RegisterWorker(3)->scheduler_epoch(), 2u);
}

TEST(SchedulerJournalTest, LanesBelieveTheNewSchedulersClock) {
  SchedulerCluster cluster(WithJournal());
  ASSERT_TRUE(cluster.Start().ok());
  cluster.Build();
  ASSERT_TRUE(cluster.LeaseTo(1).ok());
  cluster.Run(milliseconds(50));
  const uint64_t before = cluster.lane(0).members().version();

  cluster.Kill();
  ASSERT_TRUE(cluster.Start().ok());
  cluster.Run(milliseconds(50));

  EXPECT_GT(cluster.lane(0).members().version(), before);
  EXPECT_THAT(cluster.lane(0).members().members(), SizeIs(1));
}

TEST(SchedulerJournalTest, AServerThatDiedMeanwhileIsMissedOnceTheGraceIsOver) {
  SchedulerCluster cluster(WithJournal());
  ASSERT_TRUE(cluster.Start().ok());
  cluster.Build();
  cluster.Kill();
  cluster.Silence(SchedulerCluster::kServer);
  ASSERT_TRUE(cluster.Start().ok());

  cluster.Run(seconds(4));
  EXPECT_THAT(cluster.scheduler().status().recoveries(), IsEmpty());
  cluster.Run(seconds(5));
  EXPECT_THAT(cluster.scheduler().status().recoveries(), SizeIs(1));
  ASSERT_TRUE(cluster.RegisterServer(2).ok());
  cluster.Run(milliseconds(600));

  EXPECT_EQ(cluster.lane(2).configured().view().epoch(), 2u);
  EXPECT_EQ(cluster.lane(1).configured().view().epoch(), 2u);
}

TEST(SchedulerJournalTest, AViewThatWasNeverReadyIsBuiltAnewUnderALaterEpoch) {
  SchedulerCluster cluster(WithJournal());
  ASSERT_TRUE(cluster.Start().ok());
  cluster.Build();
  cluster.Silence(SchedulerCluster::kServer);
  cluster.Run(seconds(4));
  cluster.lane(1).HoldBack(METHOD_CONFIGURE);
  ASSERT_TRUE(cluster.RegisterServer(2).ok());
  cluster.Run(milliseconds(600));
  ASSERT_EQ(cluster.lane(2).configured().view().epoch(), 2u);

  cluster.Kill();
  cluster.lane(1).LetGo(METHOD_CONFIGURE);
  ASSERT_TRUE(cluster.Start().ok());
  cluster.Run(milliseconds(600));

  EXPECT_EQ(cluster.lane(2).configured().view().epoch(), 3u);
  EXPECT_EQ(cluster.lane(1).configured().view().epoch(), 3u);
  EXPECT_EQ(cluster.LeaseTo(1)->action(), LeaseReply::TRAIN);
}

// Some lanes may have learned their shards from the view that was never ready.
TEST(SchedulerJournalTest, AFirstViewThatIsBuiltAnewHasTheSameServers) {
  SchedulerOptions options = WithJournal();
  options.snapshot_dir = "/snapshots";
  SchedulerCluster cluster(options);
  ASSERT_TRUE(cluster.Start().ok());
  ASSERT_TRUE(cluster.RegisterServer(0).ok());
  ASSERT_TRUE(cluster.RegisterServer(1).ok());
  cluster.lane(1).HoldBack(METHOD_CONFIGURE);
  ASSERT_TRUE(cluster.RegisterWorker(1).ok());
  ASSERT_TRUE(cluster.Ask<GetPlanReply>(1, METHOD_GET_PLAN, GetPlanRequest()).ok());
  ASSERT_TRUE(cluster.Propose(1, SmallPlan()).ok());
  cluster.Run(seconds(1));
  ASSERT_EQ(cluster.lane(0).configured().view().epoch(), 1U);
  EXPECT_EQ(cluster.RegisterServer(2).status().code(), StatusCode::kUnavailable);
  cluster.Run(seconds(1));
  RegisterRequest again;
  again.set_role(ROLE_SERVER);
  again.add_lane_addresses("mem://lane2");
  const auto joined =
      cluster.Ask<RegisterReply>(SchedulerCluster::kServer + 2, METHOD_REGISTER, again);
  ASSERT_TRUE(joined.ok()) << joined.status();

  cluster.Kill();
  ASSERT_TRUE(cluster.Start().ok());
  cluster.Run(seconds(1));
  EXPECT_EQ(cluster.lane(0).configured().view().epoch(), 2U);
  EXPECT_EQ(cluster.lane(0).configured().view().lanes_size(), 2);

  cluster.lane(1).LetGo(METHOD_CONFIGURE);
  cluster.Run(seconds(10));
  EXPECT_EQ(cluster.lane(2).configured().view().lanes_size(), 3) << "it joins once the job trains";
}

TEST(SchedulerJournalTest, AJobThatHasEndedIsOnlyToldSoAgain) {
  SchedulerCluster cluster(WithJournal());
  ASSERT_TRUE(cluster.Start().ok());
  cluster.Build();
  EXPECT_EQ(cluster.RunLeases(1), LeaseReply::FINISHED);

  cluster.Kill();
  ASSERT_TRUE(cluster.Start().ok());
  cluster.Run(seconds(1));

  EXPECT_EQ(cluster.scheduler().state(), JOB_FINISHED);
  EXPECT_EQ(cluster.LastBeat(1)->state(), JOB_FINISHED);
}

// What it changed would be missing, and nobody would know.
TEST(SchedulerJournalTest, DoesNotGoOnFromARecordOfAKindThatItDoesNotKnow) {
  MemoryFileSystem fs;
  FakeClock clock;
  {
    const auto journal = Journal::Open(fs, clock, "/journal");
    ASSERT_TRUE(journal.ok());
    (*journal)->Note(StartRecord(5, "mem://old", 1, 1));
    JournalRecord of_a_later_program;  // field 100, a message without fields
    ASSERT_TRUE(of_a_later_program.ParseFromString(std::string("\xa2\x06\x00", 3)));
    (*journal)->Note(of_a_later_program);
  }
  MemoryTransport transport(clock);
  SchedulerOptions options = WithJournal();
  options.cluster_id = 9;

  const Status status = Scheduler::Create(options, transport, fs, clock).status();

  EXPECT_EQ(status.code(), StatusCode::kDataLoss);
  EXPECT_EQ(status.message(), "/journal: a record is of a kind that this scheduler does not know");
}

TEST(SchedulerJournalTest, ServesTheJobOfTheJournalOnly) {
  MemoryFileSystem fs;
  FakeClock clock;
  {
    const auto journal = Journal::Open(fs, clock, "/journal");
    ASSERT_TRUE(journal.ok());
    (*journal)->Note(StartRecord(5, "mem://old", 3, 1));
  }
  MemoryTransport transport(clock);
  SchedulerOptions options = WithJournal();
  options.cluster_id = 9;
  options.servers = 2;

  const Status status = Scheduler::Create(options, transport, fs, clock).status();

  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message(),
            "/journal: its job has --servers=3, this scheduler was started with --servers=2");
}

}  // namespace
}  // namespace antiphon
