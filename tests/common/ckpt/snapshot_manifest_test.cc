#include "common/ckpt/snapshot_manifest.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/common/ckpt/snapshot_fixture.h"
#include "tests/support/memory_file_system.h"

namespace antiphon {
namespace {

using ::testing::HasSubstr;
using Operation = MemoryFileSystem::Operation;

constexpr char kDirectory[] = "/snaps";
constexpr char kManifest[] = "/snaps/snapshot-3/MANIFEST";

class SnapshotManifestTest : public ::testing::Test {
 protected:
  SnapshotManifestTest() { EXPECT_TRUE(fs_.MakeDirectories(kDirectory).ok()); }

  Status WriteWithFiles(const std::vector<std::string>& names) {
    SnapshotManifest manifest;
    for (const std::string& name : names) {
      manifest.add_files()->set_name(name);
    }
    AP_RETURN_IF_ERROR(fs_.MakeDirectories("/snaps/snapshot-9"));
    return WriteManifest(fs_, "/snaps/snapshot-9", manifest).status();
  }

  MemoryFileSystem fs_;
};

TEST_F(SnapshotManifestTest, FindsAndVerifiesWhatWasWritten) {
  ASSERT_TRUE(WriteSmallSnapshot(fs_, kDirectory).ok());

  EXPECT_EQ(FindNewestSnapshot(fs_, kDirectory).value(), "/snaps/snapshot-3");
  EXPECT_EQ(FindNewestSnapshot(fs_, "/snaps/snapshot-3").value(), "/snaps/snapshot-3");
  EXPECT_TRUE(CheckNewestSnapshot(fs_, kDirectory).ok());
  const SnapshotManifest manifest = ReadManifest(fs_, "/snaps/snapshot-3").value();
  EXPECT_EQ(manifest.format(), kSnapshotFormat);
  EXPECT_EQ(manifest.files_size(), 2);
}

TEST_F(SnapshotManifestTest, EveryFailingStepLeavesNoCompleteSnapshot) {
  for (const Operation operation :
       {Operation::kWrite, Operation::kSync, Operation::kRename, Operation::kSyncDirectory}) {
    MemoryFileSystem counting;
    ASSERT_TRUE(WriteSmallSnapshot(counting, kDirectory).ok());
    const int steps = counting.count(operation);
    ASSERT_GT(steps, 0);
    for (int step = 1; step <= steps; ++step) {
      MemoryFileSystem fs;
      fs.FailAt(operation, step);

      EXPECT_FALSE(WriteSmallSnapshot(fs, kDirectory).ok());

      // The last folder sync may fail after the manifest got its name: only the cut decides then.
      fs.CutPower();
      EXPECT_EQ(FindNewestSnapshot(fs, kDirectory).status().code(), StatusCode::kNotFound)
          << "operation " << static_cast<int>(operation) << " step " << step;
    }
  }
}

TEST_F(SnapshotManifestTest, SurvivesAPowerCutOnceWritten) {
  ASSERT_TRUE(WriteSmallSnapshot(fs_, kDirectory).ok());

  fs_.CutPower();

  EXPECT_TRUE(CheckNewestSnapshot(fs_, kDirectory).ok());
}

TEST_F(SnapshotManifestTest, RefusesEveryFlippedBit) {
  ASSERT_TRUE(WriteSmallSnapshot(fs_, kDirectory).ok());
  const uint64_t bytes = ReadWholeFile(fs_, kManifest, 1 << 20)->size();

  for (uint64_t bit = 0; bit < 8 * bytes; ++bit) {
    fs_.FlipBit(kManifest, bit);
    EXPECT_FALSE(ReadManifest(fs_, "/snaps/snapshot-3").ok()) << bit;
    fs_.FlipBit(kManifest, bit);
  }
}

TEST_F(SnapshotManifestTest, PassesOverIncompleteFoldersButNotDamagedOnes) {
  ASSERT_TRUE(WriteSmallSnapshot(fs_, kDirectory).ok());
  ASSERT_TRUE(fs_.MakeDirectories("/snaps/snapshot-4").ok());
  EXPECT_EQ(FindNewestSnapshot(fs_, kDirectory).value(), "/snaps/snapshot-3");

  ASSERT_TRUE(WriteFileAtomically(fs_, "/snaps/snapshot-4/MANIFEST", "garbage").ok());

  const Status status = FindNewestSnapshot(fs_, kDirectory).status();
  EXPECT_EQ(status.code(), StatusCode::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr("/snaps/snapshot-4/MANIFEST"));
}

TEST_F(SnapshotManifestTest, ComparesVersionsAsNumbers) {
  for (const char* name : {"/snaps/snapshot-9", "/snaps/snapshot-10", "/snaps/snapshot-x11"}) {
    ASSERT_TRUE(fs_.MakeDirectories(name).ok());
    SnapshotManifest manifest;
    manifest.add_files()->set_name("lane-0.aps");
    ASSERT_TRUE(WriteManifest(fs_, name, manifest).ok());
  }

  EXPECT_EQ(FindNewestSnapshot(fs_, kDirectory).value(), "/snaps/snapshot-10");
}

TEST_F(SnapshotManifestTest, RefusesNamesThatLeadElsewhere) {
  for (const std::string& name :
       {std::string(), std::string("."), std::string(".."), std::string("../lane-0.aps"),
        std::string("/etc/passwd"), std::string("a/b"), std::string("a\0b", 3)}) {
    ASSERT_TRUE(WriteWithFiles({name}).ok());
    EXPECT_EQ(ReadManifest(fs_, "/snaps/snapshot-9").status().code(), StatusCode::kDataLoss)
        << name;
  }
}

TEST_F(SnapshotManifestTest, RefusesNoFileAndDoubledFiles) {
  ASSERT_TRUE(WriteWithFiles({}).ok());
  EXPECT_EQ(ReadManifest(fs_, "/snaps/snapshot-9").status().code(), StatusCode::kDataLoss);

  ASSERT_TRUE(WriteWithFiles({"lane-0.aps", "lane-0.aps"}).ok());
  EXPECT_EQ(ReadManifest(fs_, "/snaps/snapshot-9").status().code(), StatusCode::kDataLoss);
}

TEST_F(SnapshotManifestTest, RefusesADeltaOfItselfOrOfALaterOne) {
  SnapshotManifest manifest;
  manifest.set_kind(SnapshotManifest::DELTA);
  manifest.set_version(7);
  manifest.add_files()->set_name("lane-0.aps");
  for (const uint64_t predecessor : {7, 8}) {
    manifest.set_base_version(3);
    manifest.set_predecessor_version(predecessor);
    ASSERT_TRUE(WriteManifest(fs_, kDirectory, manifest).ok());
    EXPECT_EQ(ReadManifest(fs_, kDirectory).status().code(), StatusCode::kDataLoss);
  }
  manifest.set_predecessor_version(2);
  ASSERT_TRUE(WriteManifest(fs_, kDirectory, manifest).ok());
  EXPECT_EQ(ReadManifest(fs_, kDirectory).status().code(), StatusCode::kDataLoss);
}

TEST_F(SnapshotManifestTest, VerifyNamesTheMissingFile) {
  ASSERT_TRUE(WriteSmallSnapshot(fs_, kDirectory).ok());
  ASSERT_TRUE(fs_.Remove("/snaps/snapshot-3/lane-1.aps").ok());

  const Status status = CheckNewestSnapshot(fs_, kDirectory);

  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_THAT(status.message(), HasSubstr("lane-1.aps"));
}

}  // namespace
}  // namespace antiphon
