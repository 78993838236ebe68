// Exactly once at each step: a run is broken off at every commit and at every operation of the file
// system in turn, and another one goes on; what is in the sink must be what an unbroken run leaves.
#include "join/join_run.h"

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "common/base/rng.h"
#include "join/sample_log.h"
#include "stream/sample_sinks.h"
#include "tests/support/fake_clock.h"
#include "tests/support/memory_file_system.h"
#include "tests/support/memory_join_store.h"

namespace antiphon {
namespace {

using ::testing::HasSubstr;

using Log = std::vector<JoinEvent>;

// Reads a log in memory; the position is an index.
class LogReader final : public EventReader {
 public:
  LogReader(std::string name, const Log& log, bool ends)
      : name_(std::move(name)), log_(log), ends_(ends) {}

  const std::string& partition() const override { return name_; }
  Status Seek(Position position, Past past) override {
    next_ = position;
    past_ = past;
    return Status();
  }
  StatusOr<Outcome> Next(JoinEvent& event) override {
    if (next_ == log_.size()) {
      return ends_ ? Outcome::kEnd : Outcome::kNothing;
    }
    event = log_[next_++];
    return event.request.empty() ? Outcome::kBadEvent : Outcome::kEvent;
  }
  Position position() const override { return next_; }
  bool may_have_more() const override { return may_have_more_; }

  void set_may_have_more(bool may) { may_have_more_ = may; }
  Past past() const { return past_; }

 private:
  std::string name_;
  const Log& log_;
  bool ends_;
  bool may_have_more_ = false;
  Past past_ = Past::kUntouched;
  size_t next_ = 0;
};

class JoinRunTest : public ::testing::Test {
 protected:
  JoinRunTest() {
    CHECK(google::protobuf::TextFormat::ParseFromString(
        R"(stream { join {
             feedback { kind: "click" window_seconds: 20 }
             feedback { kind: "gift" window_seconds: 60 given: "click"
                        late_field: "late" never_field: "never" }
             out_of_order_seconds: 3 emit: EARLY early_seconds: 10 known_until_field: "until" } })",
        &data_));
    rules_ = *MakeJoinRules(data_.stream().join());
    format_ = std::make_unique<SampleRecord>(*SampleRecord::Create(data_, rules_));
    Rng rng(5);
    for (int i = 0; i < 300; ++i) {
      const std::string request = "r" + std::to_string(i);
      Add(0, {request, i * 500, true, request + ",features", "", 0});
      if (rng.Chance(0.5)) {
        Add(1, {request, i * 500 + 4000, false, "", "click", 1});
        Add(1, {request, i * 500 + 4000 + static_cast<int64_t>(rng.Below(30000)), false, "", "gift",
                1});
      }
    }
    for (Log& log : logs_) {
      std::stable_sort(log.begin(), log.end(), [](const JoinEvent& a, const JoinEvent& b) {
        return a.time_ms < b.time_ms;
      });
    }
    logs_[1].insert(logs_[1].begin() + 7, JoinEvent{});  // a bad one
  }

  void Add(size_t partition, JoinEvent event) { logs_[partition].push_back(std::move(event)); }

  StatusOr<std::unique_ptr<JoinRun>> Begin(bool ends = true) {
    std::vector<std::unique_ptr<EventReader>> readers;
    for (size_t i = 0; i < logs_.size(); ++i) {
      auto reader = std::make_unique<LogReader>("p" + std::to_string(i), logs_[i], ends);
      readers_[i] = reader.get();
      readers.push_back(std::move(reader));
    }
    sink_ = MakeSink();
    const JoinRunOptions options = {.rules_digest = digest_,
                                    .max_memory_bytes = max_memory_bytes_,
                                    .max_ahead_seconds = max_ahead_seconds_,
                                    .commit_every = std::chrono::hours(1),
                                    .commit_samples = 40};
    return JoinRun::Create(rules_, *format_, options, std::move(readers), *store_, *sink_, clock_);
  }

  // Until the end, or until something fails.
  Status Live() {
    AP_ASSIGN_OR_RETURN(const std::unique_ptr<JoinRun> run, Begin());
    while (true) {
      AP_ASSIGN_OR_RETURN(const JoinRun::Outcome outcome, run->Step());
      if (outcome == JoinRun::Outcome::kDone) {
        counts_ = run->counts();
        return Status();
      }
    }
  }

  std::unique_ptr<SampleSink> MakeSink() {
    if (!keeps_samples_) {
      return MakeFolderSampleSink({.folder = "out", .header = format_->Header("")}, *fs_);
    }
    StatusOr<std::unique_ptr<SampleLog>> log = SampleLog::Create({}, *store_, clock_);
    CHECK(log.ok()) << log.status();
    return *std::move(log);
  }

  // All that the log has, one line a sample.
  std::string Kept() {
    const std::unique_ptr<SampleLog> log = *SampleLog::Create({}, *store_, clock_);
    std::string all;
    std::vector<std::string> records;
    for (uint64_t number = log->first(); number < log->end(); number += records.size()) {
      CHECK(log->Read(number, 1000, records).ok());
      for (const std::string& record : records) {
        all += record + "\n";
      }
    }
    return all;
  }

  std::string Published() {
    std::string all;
    const std::vector<std::string> names = *fs_->List("out");
    for (const std::string& name : names) {
      if (!name.ends_with(".tmp")) {
        all += *ReadWholeFile(*fs_, "out/" + name, 1 << 20);
      }
    }
    return all;
  }

  // As if nothing had ever run.
  void Forget() {
    fs_ = std::make_unique<MemoryFileSystem>();
    store_ = std::make_unique<MemoryJoinStore>();
  }

  DataConfig data_;
  JoinRules rules_;
  std::unique_ptr<SampleRecord> format_;
  std::vector<Log> logs_{2};
  std::unique_ptr<MemoryFileSystem> fs_ = std::make_unique<MemoryFileSystem>();
  std::unique_ptr<MemoryJoinStore> store_ = std::make_unique<MemoryJoinStore>();
  FakeClock clock_;
  std::unique_ptr<SampleSink> sink_;
  std::vector<LogReader*> readers_{2};  // of the last Begin
  bool keeps_samples_ = false;          // in the store, instead of publishing them
  uint64_t max_ahead_seconds_ = 0;
  uint64_t digest_ = 1;
  uint64_t max_memory_bytes_ = 64 << 20;
  JoinCounts counts_;
};

TEST_F(JoinRunTest, PublishesEverySampleInGroupsOfConsecutiveNumbers) {
  ASSERT_TRUE(Live().ok());

  EXPECT_EQ(counts_.impressions(), 300u);
  EXPECT_EQ(counts_.bad_events(), 1u);
  const std::vector<std::string> names = *fs_->List("out");
  ASSERT_GT(names.size(), 5u);
  EXPECT_EQ(names[0], "END");
  EXPECT_EQ(names[1], "samples-00000000.csv");
  EXPECT_EQ(names.back(),
            "samples-" + std::to_string(100000000 + names.size() - 2).substr(1) + ".csv");
  const std::string all = Published();
  EXPECT_EQ(static_cast<uint64_t>(std::count(all.begin(), all.end(), '\n')), counts_.samples());
  EXPECT_THAT(all, HasSubstr("r0,features,"));
}

TEST_F(JoinRunTest, LeavesTheSameBytesWhereverItWasBroken) {
  ASSERT_TRUE(Live().ok());
  const std::string unbroken = Published();
  const JoinCounts counts = counts_;
  const std::map<MemoryFileSystem::Operation, int> steps = {
      {MemoryFileSystem::Operation::kWrite, fs_->count(MemoryFileSystem::Operation::kWrite)},
      {MemoryFileSystem::Operation::kSync, fs_->count(MemoryFileSystem::Operation::kSync)},
      {MemoryFileSystem::Operation::kRename, fs_->count(MemoryFileSystem::Operation::kRename)},
      {MemoryFileSystem::Operation::kSyncDirectory,
       fs_->count(MemoryFileSystem::Operation::kSyncDirectory)}};
  int broken = 0;
  for (const auto& [operation, times] : steps) {
    for (int nth = 1; nth <= times; ++nth) {
      Forget();
      fs_->FailAt(operation, nth);
      ASSERT_FALSE(Live().ok());
      fs_->CutPower();

      ASSERT_TRUE(Live().ok());

      ASSERT_EQ(Published(), unbroken)
          << "operation " << static_cast<int>(operation) << ", " << nth;
      EXPECT_EQ(counts_.SerializeAsString(), counts.SerializeAsString());
      ++broken;
    }
  }
  EXPECT_GT(broken, 40);
}

TEST_F(JoinRunTest, LeavesTheSameBytesWhenItDiesBetweenItsSteps) {
  ASSERT_TRUE(Live().ok());
  const std::string unbroken = Published();
  Rng rng(3);
  for (int world = 0; world < 30; ++world) {
    Forget();
    max_memory_bytes_ = world % 2 == 0 ? 64 << 20 : 2000;
    for (int life = 0; life < 6; ++life) {
      StatusOr<std::unique_ptr<JoinRun>> run = Begin();
      ASSERT_TRUE(run.ok()) << run.status();
      for (uint64_t steps = rng.Below(3); steps > 0; --steps) {
        ASSERT_TRUE((*run)->Step().ok());
        if (rng.Chance(0.3)) {
          ASSERT_TRUE((*run)->Commit().ok());
        }
      }
      store_->FailCommits(rng.Chance(0.3));
      (*run)->Commit().IgnoreError();
      store_->FailCommits(false);
    }

    ASSERT_TRUE(Live().ok());

    // Groups are cut elsewhere, the samples are the same.
    ASSERT_EQ(Published(), unbroken) << "world " << world;
  }
}

TEST_F(JoinRunTest, DoesNotWaitForAPartitionThatIsSilent) {
  logs_[1].clear();
  StatusOr<std::unique_ptr<JoinRun>> run = Begin(/*ends=*/false);
  ASSERT_TRUE(run.ok());
  while (*(*run)->Step() != JoinRun::Outcome::kNothing) {
  }
  EXPECT_EQ((*run)->next_sample(), 0u);

  clock_.Advance(std::chrono::milliseconds(rules_.idle_partition_ms));
  ASSERT_TRUE((*run)->Step().ok());

  EXPECT_GT((*run)->next_sample(), 200u);
}

TEST_F(JoinRunTest, KeepsTheSameSamplesInItsStoreWhereverItDies) {
  ASSERT_TRUE(Live().ok());
  const std::string published = Published();
  keeps_samples_ = true;
  Rng rng(7);
  for (int world = 0; world < 10; ++world) {
    Forget();
    for (int life = 0; life < 8; ++life) {
      StatusOr<std::unique_ptr<JoinRun>> run = Begin();
      ASSERT_TRUE(run.ok()) << run.status();
      for (uint64_t steps = rng.Below(3); steps > 0; --steps) {
        ASSERT_TRUE((*run)->Step().ok());
      }
      store_->FailCommits(rng.Chance(0.5));
      (*run)->Commit().IgnoreError();
      store_->FailCommits(false);
      ASSERT_TRUE(published.starts_with(Kept())) << "world " << world;
    }

    ASSERT_TRUE(Live().ok());

    ASSERT_EQ(Kept(), published) << "world " << world;
  }
}

TEST_F(JoinRunTest, WaitsForAPartitionWhoseSourceIsAway) {
  logs_[1].clear();
  StatusOr<std::unique_ptr<JoinRun>> run = Begin(/*ends=*/false);
  ASSERT_TRUE(run.ok());
  readers_[1]->set_may_have_more(true);

  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE((*run)->Step().ok());
    clock_.Advance(std::chrono::milliseconds(rules_.idle_partition_ms));
  }

  EXPECT_EQ((*run)->next_sample(), 0u);
}

TEST_F(JoinRunTest, DropsAndCountsEventsOfClocksThatRunAhead) {
  // The log's times are milliseconds after 1970, so all but one are long past.
  Add(0, {"rogue", clock_.WallSeconds() * 1000 + 3'601'000, true, "rogue,features", "", 0});
  Add(0, {"r1000", 160'000, true, "r1000,features", "", 0});
  max_ahead_seconds_ = 3600;

  ASSERT_TRUE(Live().ok());

  EXPECT_EQ(counts_.future_events(), 1u);
  EXPECT_EQ(counts_.late_impressions(), 0u);
  EXPECT_THAT(Published(), HasSubstr("r1000,features"));
}

TEST_F(JoinRunTest, RemembersWhereAPartitionIsToBeginBeforeAnythingIsRead) {
  logs_[1].clear();
  {
    StatusOr<std::unique_ptr<JoinRun>> run = Begin(/*ends=*/false);
    ASSERT_TRUE(run.ok());
  }

  StatusOr<std::unique_ptr<JoinRun>> second = Begin(/*ends=*/false);
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(readers_[0]->past(), EventReader::Past::kUntouched);
  ASSERT_TRUE((*second)->Step().ok());
  ASSERT_TRUE((*second)->Commit().ok());

  StatusOr<std::unique_ptr<JoinRun>> third = Begin(/*ends=*/false);
  ASSERT_TRUE(third.ok());
  EXPECT_EQ(readers_[0]->past(), EventReader::Past::kRead);
  EXPECT_EQ(readers_[1]->past(), EventReader::Past::kUntouched);
}

TEST_F(JoinRunTest, RefusesTheStateOfAnotherConfiguration) {
  ASSERT_TRUE(Live().ok());
  digest_ = 2;

  const Status status = Live();

  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("another configuration"));
}

}  // namespace
}  // namespace antiphon
