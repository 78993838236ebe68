#include "serving/export/publisher.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/crc32c.h"
#include "common/ckpt/snapshot_manifest.h"
#include "common/ckpt/snapshot_retention.h"
#include "serving/emb_table.h"
#include "serving/served_state.h"
#include "serving/signature.h"
#include "serving/version_directory.h"
#include "tests/serving/export/snapshot_author.h"
#include "tests/support/crashing_file_system.h"
#include "tests/support/memory_file_system.h"

namespace antiphon {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using Kind = SnapshotAuthor::Kind;

constexpr char kSnapshots[] = "/snaps";
constexpr char kOut[] = "/out";
constexpr uint64_t kMaxBytes = 1 << 24;

// A file of a version, compared with what its signature says.
std::string ReadServed(FileSystem& fs, const VersionLink& link, const std::string& name) {
  const std::string bytes = ReadWholeFile(fs, link.folder + "/" + name, kMaxBytes).value();
  const ServedFile* said = FindFile(link.signature, name);
  EXPECT_TRUE(said != nullptr && said->bytes() == bytes.size() &&
              said->crc32c() == Crc32c(std::as_bytes(std::span(bytes))))
      << name << " of " << link.folder;
  return bytes;
}

// A table of a version, and the bytes that it reads.
class TableOfVersion {
 public:
  TableOfVersion(FileSystem& fs, const VersionLink& link, const ServedTable& described) {
    const std::string bytes = ReadServed(fs, link, described.file());
    words_.resize(bytes.size() / sizeof(uint64_t) + 1);
    std::memcpy(words_.data(), bytes.data(), bytes.size());
    table_ = EmbTable::Open(std::as_bytes(std::span(words_)).first(bytes.size()));
    EXPECT_TRUE(table_.ok()) << table_.status();
  }
  const EmbTable* operator->() const { return &*table_; }

 private:
  std::vector<uint64_t> words_;
  StatusOr<EmbTable> table_ = NotFoundError("not opened");
};

// What a server that applies a chain would serve.
TableRows ServedRowsOf(FileSystem& fs, const VersionChain& chain) {
  TableRows rows(static_cast<size_t>(chain.back().signature.tables_size()));
  for (const VersionLink& link : chain) {
    for (size_t t = 0; t < rows.size(); ++t) {
      const ServedTable& described = link.signature.tables(static_cast<int>(t));
      const TableOfVersion table(fs, link, described);
      EXPECT_EQ(table->header().kind, link.signature.has_step() ? EmbKind::kStep : EmbKind::kFull);
      EXPECT_EQ(table->rows(), described.rows());
      EXPECT_EQ(table->tombstones().size(), described.tombstones());
      for (const Key key : table->tombstones()) {
        rows[t].erase(key);
      }
      for (uint32_t row = 0; row < table->rows(); ++row) {
        std::vector<float>& weights = rows[t][table->key(row)];
        weights.resize(table->dim());
        table->CopyRow(row, weights.data());
      }
    }
  }
  return rows;
}

class PublisherTest : public ::testing::Test {
 protected:
  PublisherTest() { EXPECT_TRUE(fs_.MakeDirectories(kSnapshots).ok()); }

  void Commit(Kind kind) {
    author_.Train();
    author_.Write(fs_, kSnapshots, kind);
  }
  std::unique_ptr<Publisher> Open() { return Open(fs_); }
  std::unique_ptr<Publisher> Open(FileSystem& fs) {
    StatusOr<std::unique_ptr<Publisher>> publisher = Publisher::Open(
        {.snapshots = kSnapshots, .out = kOut, .rules = rules_, .keep = keep_}, fs, {});
    EXPECT_TRUE(publisher.ok()) << publisher.status();
    return *std::move(publisher);
  }
  // Publishes until there is nothing newer; how many versions became current.
  static int PublishAll(Publisher& publisher) {
    for (int published = 0;; ++published) {
      const StatusOr<std::optional<Signature>> next = publisher.PublishNext();
      EXPECT_TRUE(next.ok()) << next.status();
      if (!next.ok() || !next->has_value()) {
        return published;
      }
    }
  }
  // What CURRENT names is whole, and is what the job has.
  void ExpectServesTheJob() {
    const StatusOr<VersionChain> chain = ReadCurrentChain(fs_, kOut);
    ASSERT_TRUE(chain.ok()) << chain.status();
    EXPECT_EQ(chain->back().signature.version(), author_.version());
    EXPECT_EQ(ServedRowsOf(fs_, *chain), author_.rows());
    const std::string state = ReadServed(fs_, chain->back(), kStateFile);
    const StatusOr<ServedState> decoded = DecodeServedState(std::as_bytes(std::span(state)));
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    for (int id = 0; id < decoded->blocks_size(); ++id) {
      const auto& values = decoded->blocks(id).values();
      EXPECT_TRUE(std::equal(values.begin(), values.end(),
                             author_.block(static_cast<BlockId>(id)).begin()));
    }
  }
  std::vector<std::string> Names() { return fs_.List(kOut).value(); }

  MemoryFileSystem fs_;
  SnapshotAuthor author_{7};
  PublishRules rules_;
  uint32_t keep_ = 2;
};

TEST_F(PublisherTest, ADeltaBecomesAStepThatSaysWhereItBelongs) {
  Commit(Kind::kFull);
  Commit(Kind::kDelta);
  const auto publisher = Open();
  EXPECT_EQ(PublishAll(*publisher), 1);
  Commit(Kind::kDelta);
  Commit(Kind::kDelta);
  EXPECT_EQ(PublishAll(*publisher), 2);

  ExpectServesTheJob();
  const VersionChain& chain = publisher->current();
  ASSERT_EQ(chain.size(), 3U);
  EXPECT_FALSE(chain[0].signature.has_step());
  const ServedStep& step = chain[2].signature.step();
  EXPECT_EQ(step.base(), 2U);
  EXPECT_EQ(step.sequence(), 2U);
  EXPECT_EQ(step.predecessor(), 3U);
  EXPECT_EQ(step.predecessor_digest(), chain[1].digest);
  EXPECT_EQ(chain[2].signature.cut_ms(), 1'700'000'000'004);
  EXPECT_THAT(Names(), ElementsAre("CURRENT", "version-2", "version-3", "version-4"));
}

// A random job with a random exporter: base and steps are the job's newest snapshot, row for row.
TEST_F(PublisherTest, BaseAndStepsAreTheNewestSnapshotRowForRow) {
  Rng rng(21);
  rules_.max_steps = 6;
  Commit(Kind::kFull);
  std::unique_ptr<Publisher> publisher = Open();
  for (int round = 0; round < 60; ++round) {
    Commit(rng.Chance(0.1) ? Kind::kFull : Kind::kDelta);
    if (rng.Chance(0.2)) {
      publisher = Open();  // a new process
    }
    if (rng.Chance(0.7)) {
      PublishAll(*publisher);
      ExpectServesTheJob();
    }
  }
}

TEST_F(PublisherTest, AStepNeedsNoOlderSnapshot) {
  Commit(Kind::kFull);
  const auto publisher = Open();
  PublishAll(*publisher);
  Commit(Kind::kDelta);
  ASSERT_TRUE(RemoveSnapshot(fs_, SnapshotFolder(kSnapshots, 1)).ok());
  EXPECT_EQ(PublishAll(*publisher), 1);
  EXPECT_EQ(publisher->current().size(), 2U);
  ExpectServesTheJob();
}

TEST_F(PublisherTest, KeepsSoManyChainsAndTheCurrentOne) {
  keep_ = 2;
  const auto publisher = Open();
  for (const Kind kind : {Kind::kFull, Kind::kDelta, Kind::kFull, Kind::kDelta, Kind::kDelta}) {
    Commit(kind);
    PublishAll(*publisher);
  }
  EXPECT_THAT(Names(), ElementsAre("CURRENT", "version-1", "version-2", "version-3", "version-4",
                                   "version-5"));
  Commit(Kind::kFull);
  PublishAll(*publisher);
  EXPECT_THAT(Names(), ElementsAre("CURRENT", "version-3", "version-4", "version-5", "version-6"));
}

TEST_F(PublisherTest, TakesAllRowsWhereTablesChange) {
  Commit(Kind::kFull);
  PublishAll(*Open());
  SnapshotAuthor wider(8, 5);
  wider.set_version(author_.version());
  wider.Write(fs_, kSnapshots, Kind::kFull);
  author_ = wider;
  const auto publisher = Open();
  EXPECT_EQ(PublishAll(*publisher), 1);
  EXPECT_EQ(publisher->current().size(), 1U);
  ExpectServesTheJob();
}

TEST_F(PublisherTest, GoesAroundASnapshotThatIsDamagedOrGone) {
  Commit(Kind::kFull);
  const auto publisher = Open();
  PublishAll(*publisher);
  Commit(Kind::kDelta);
  fs_.FlipBit(SnapshotFolder(kSnapshots, 2) + "/" + LaneFileName(0), 4000);
  EXPECT_EQ(PublishAll(*publisher), 0);  // nobody can read it, as a step or with what it grows from
  EXPECT_EQ(publisher->current().back().signature.version(), 1U);
  Commit(Kind::kFull);
  Commit(Kind::kDelta);
  ASSERT_TRUE(fs_.Remove(SnapshotFolder(kSnapshots, 4) + "/" + LaneFileName(0)).ok());
  EXPECT_EQ(PublishAll(*publisher), 1);
  EXPECT_EQ(publisher->current().back().signature.version(), 3U);
  Commit(Kind::kFull);
  EXPECT_EQ(PublishAll(*publisher), 1);
  ExpectServesTheJob();
}

TEST_F(PublisherTest, AFullDiskFailsAVersionAndNothingElse) {
  Commit(Kind::kFull);
  const auto publisher = Open();
  PublishAll(*publisher);
  const auto before = Names();
  Commit(Kind::kDelta);
  fs_.SetCapacity(0);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(publisher->PublishNext().status().code(), StatusCode::kResourceExhausted);
    EXPECT_EQ(Names(), before);
  }
  fs_.SetCapacity(UINT64_MAX);
  EXPECT_EQ(PublishAll(*publisher), 1);
  EXPECT_EQ(publisher->current().size(), 2U);
  ExpectServesTheJob();
}

TEST_F(PublisherTest, ServesOnlyWhatWasPromoted) {
  rules_.promoted_only = true;
  author_.set_promoted(true);
  Commit(Kind::kFull);
  auto publisher = Open();
  EXPECT_EQ(PublishAll(*publisher), 1);
  author_.set_promoted(false);
  Commit(Kind::kDelta);
  Commit(Kind::kDelta);
  EXPECT_EQ(PublishAll(*publisher), 0);
  author_.set_promoted(true);
  Commit(Kind::kDelta);
  EXPECT_EQ(PublishAll(*publisher), 1);
  EXPECT_EQ(publisher->current().size(), 4U);
  ExpectServesTheJob();
}

TEST_F(PublisherTest, AStepTakesAwayARowWhoseScoreFellAndServesOneWhoseScoreRose) {
  constexpr Key kStays = 1;
  constexpr Key kFalls = 2;
  constexpr Key kRises = 3;
  const auto shown = [](ApproximateCount times) {
    return RowHistory{.last_seen = RowSecondsFromUnix(1'700'000'000), .shows = times, .clicks = 0};
  };
  rules_.min_score = 5;
  author_.plan().mutable_schema()->mutable_tables(0)->mutable_row_policy()->mutable_eviction();
  author_.TrainRow(0, kStays, 0.25F, shown(9));
  author_.TrainRow(0, kFalls, 0.5F, shown(9));
  author_.TrainRow(0, kRises, 0.75F, shown(1));
  author_.Write(fs_, kSnapshots, Kind::kFull);
  const auto publisher = Open();
  EXPECT_EQ(PublishAll(*publisher), 1);
  EXPECT_THAT(ServedRowsOf(fs_, publisher->current())[0],
              ElementsAre(Pair(kStays, Each(0.25F)), Pair(kFalls, Each(0.5F))));

  author_.TrainRow(0, kFalls, -0.5F, shown(1));
  author_.TrainRow(0, kRises, -0.75F, shown(9));
  author_.Write(fs_, kSnapshots, Kind::kDelta);
  EXPECT_EQ(PublishAll(*publisher), 1);

  const VersionChain& chain = publisher->current();
  ASSERT_EQ(chain.size(), 2U);
  EXPECT_THAT(ServedRowsOf(fs_, chain)[0],
              ElementsAre(Pair(kStays, Each(0.25F)), Pair(kRises, Each(-0.75F))));
  const TableOfVersion step(fs_, chain[1], chain[1].signature.tables(0));
  EXPECT_THAT(step->keys(), ElementsAre(kRises));
  ASSERT_THAT(step->tombstones(), ElementsAre(kFalls));
  EXPECT_EQ(step->reason(0), TombstoneReason::kFiltered);
}

TEST_F(PublisherTest, ADirectoryThatLostPartOfItsChainBeginsAnew) {
  Commit(Kind::kFull);
  Commit(Kind::kDelta);
  PublishAll(*Open());
  ASSERT_TRUE(fs_.Remove(std::string(kOut) + "/version-2/" + kSignatureFile).ok());
  const auto publisher = Open();
  EXPECT_EQ(PublishAll(*publisher), 1);
  ExpectServesTheJob();
}

TEST_F(PublisherTest, WaitsForAFolderOfSnapshotsAndRefusesASnapshot) {
  ASSERT_TRUE(fs_.Remove(kSnapshots).ok());
  const auto publisher = Open();
  EXPECT_EQ(publisher->PublishNext().status().code(), StatusCode::kNotFound);
  Commit(Kind::kFull);
  EXPECT_EQ(PublishAll(*publisher), 1);
  const Status status =
      Publisher::Open({.snapshots = SnapshotFolder(kSnapshots, 1), .out = kOut, .rules = {}}, fs_,
                      {})
          .status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
}

class FakeSink final : public VersionSink {
 public:
  const std::string& name() const override { return name_; }
  Status CatchUp(const VersionChain& chain) override {
    ++calls_;
    if (!away_) {
      versions_.push_back(chain.back().signature.version());
    }
    return away_ ? UnavailableError("away") : Status();
  }

  bool away_ = false;
  int calls_ = 0;
  std::vector<uint64_t> versions_;

 private:
  std::string name_ = "fake";
};

TEST_F(PublisherTest, AsksASinkUntilItHasCaughtUp) {
  FakeSink sink;
  FakeSink other;
  auto publisher =
      Publisher::Open({.snapshots = kSnapshots, .out = kOut, .rules = {}}, fs_, {&sink, &other});
  ASSERT_TRUE(publisher.ok());
  EXPECT_TRUE((*publisher)->CatchUpSinks().ok());
  EXPECT_EQ(sink.calls_, 0);
  Commit(Kind::kFull);
  PublishAll(**publisher);
  sink.away_ = true;
  EXPECT_THAT((*publisher)->CatchUpSinks().message(), HasSubstr("fake: away"));
  sink.away_ = false;
  EXPECT_TRUE((*publisher)->CatchUpSinks().ok());
  EXPECT_TRUE((*publisher)->CatchUpSinks().ok());
  EXPECT_EQ(sink.calls_, 2);
  EXPECT_THAT(sink.versions_, ElementsAre(1));
  EXPECT_EQ(other.calls_, 1);
}

enum class Crash { kProcess, kPower };

// A publisher that has come to version 2 dies at a change of the disk while it publishes `next`;
// whatever is found is whole, and the next publisher goes on to what the job has. Returns how many
// changes a publisher makes that does not die.
int DieAt(int change, Kind next, Crash crash) {
  SCOPED_TRACE("change " + std::to_string(change));
  MemoryFileSystem disk;
  EXPECT_TRUE(disk.MakeDirectories(kSnapshots).ok());
  SnapshotAuthor author(11);
  const PublisherOptions options = {.snapshots = kSnapshots, .out = kOut, .rules = {}, .keep = 1};
  for (const Kind kind : {Kind::kFull, Kind::kDelta}) {
    author.Train();
    author.Write(disk, kSnapshots, kind);
    EXPECT_TRUE(Publisher::Open(options, disk, {}).value()->PublishNext().ok());
  }
  const TableRows before = author.rows();
  author.Train();
  author.Write(disk, kSnapshots, next);

  CrashingFileSystem dying(disk, change);
  StatusOr<std::unique_ptr<Publisher>> publisher = Publisher::Open(options, dying, {});
  if (publisher.ok()) {
    (*publisher)->PublishNext().status().IgnoreError();
  }
  if (crash == Crash::kPower) {
    disk.CutPower();
  }

  const StatusOr<VersionChain> found = ReadCurrentChain(disk, kOut);
  EXPECT_TRUE(found.ok()) << found.status();
  if (found.ok()) {
    EXPECT_EQ(ServedRowsOf(disk, *found),
              found->back().signature.version() == 3 ? author.rows() : before);
  }
  const auto survivor = Publisher::Open(options, disk, {});
  EXPECT_TRUE(survivor.ok()) << survivor.status();
  for (bool more = survivor.ok(); more;) {
    const StatusOr<std::optional<Signature>> published = (*survivor)->PublishNext();
    EXPECT_TRUE(published.ok()) << published.status();
    more = published.ok() && published->has_value();
  }
  EXPECT_EQ(ServedRowsOf(disk, ReadCurrentChain(disk, kOut).value()), author.rows());
  const std::vector<std::string> names = disk.List(kOut).value();
  EXPECT_TRUE(std::ranges::none_of(names, [](const auto& n) { return n.ends_with(".tmp"); }));
  return dying.changes();
}

TEST(PublisherCrashTest, AKillAtAnyChangeOfTheDiskLeavesAWholeChain) {
  for (const Kind next : {Kind::kDelta, Kind::kFull}) {
    const int changes = DieAt(0, next, Crash::kProcess);
    ASSERT_GT(changes, 20);
    for (int change = 1; change <= changes; ++change) {
      DieAt(change, next, Crash::kProcess);
    }
  }
}

TEST(PublisherCrashTest, APowerCutAtAnyChangeOfTheDiskLeavesAWholeChain) {
  for (const Kind next : {Kind::kDelta, Kind::kFull}) {
    const int changes = DieAt(0, next, Crash::kPower);
    for (int change = 1; change <= changes; ++change) {
      DieAt(change, next, Crash::kPower);
    }
  }
}

}  // namespace
}  // namespace antiphon
