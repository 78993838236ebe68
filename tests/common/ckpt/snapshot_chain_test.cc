#include "common/ckpt/snapshot_chain.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/ckpt/snapshot_manifest.h"
#include "common/ckpt/snapshot_retention.h"
#include "tests/common/ckpt/snapshot_fixture.h"
#include "tests/support/memory_file_system.h"

namespace antiphon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A committed snapshot of one small file; `since` null: a full one. Returns what a delta of it
// says.
SnapshotLink Commit(FileSystem& fs, uint64_t version, const SnapshotLink* since) {
  SnapshotLink link;
  link.folder = SnapshotFolder("/snaps", version);
  link.manifest.set_version(version);
  if (since != nullptr) {
    const SnapshotManifest& before = since->manifest;
    link.manifest.set_kind(SnapshotManifest::DELTA);
    link.manifest.set_predecessor_version(before.version());
    link.manifest.set_predecessor_crc32c(since->manifest_crc32c);
    link.manifest.set_base_version(before.kind() == SnapshotManifest::DELTA ? before.base_version()
                                                                            : before.version());
  }
  EXPECT_TRUE(fs.MakeDirectories(link.folder).ok());
  LaneFileHeader header = SmallHeader(0);
  header.set_version(version);
  if (since != nullptr) {
    header.set_delta_since(since->manifest.version());
  }
  *link.manifest.add_files() = WriteSmallFile(fs, link.folder, 0, header).value();
  link.manifest_crc32c = WriteManifest(fs, link.folder, link.manifest).value();
  return link;
}

// Full 1 with deltas 2 and 4 (3 failed), full 5 with delta 6.
class SnapshotChainFilesTest : public ::testing::Test {
 protected:
  SnapshotChainFilesTest() {
    const SnapshotLink first = Commit(fs_, 1, nullptr);
    const SnapshotLink second = Commit(fs_, 2, &first);
    EXPECT_TRUE(fs_.MakeDirectories("/snaps/snapshot-3").ok());
    EXPECT_TRUE(WriteFileAtomically(fs_, "/snaps/snapshot-3/lane-0.aps", "half").ok());
    Commit(fs_, 4, &second);
    const SnapshotLink fifth = Commit(fs_, 5, nullptr);
    Commit(fs_, 6, &fifth);
  }

  std::vector<uint64_t> VersionsOf(const StatusOr<SnapshotChain>& chain) {
    EXPECT_TRUE(chain.ok()) << chain.status();
    std::vector<uint64_t> versions;
    for (const SnapshotLink& link : chain.ok() ? *chain : SnapshotChain()) {
      versions.push_back(link.manifest.version());
    }
    return versions;
  }

  MemoryFileSystem fs_;
};

TEST_F(SnapshotChainFilesTest, LeadsFromTheFullOneToTheDelta) {
  EXPECT_THAT(VersionsOf(FindNewestChain(fs_, "/snaps")), ElementsAre(5, 6));
  EXPECT_THAT(VersionsOf(ReadChain(fs_, "/snaps/snapshot-4")), ElementsAre(1, 2, 4));
  EXPECT_THAT(VersionsOf(ReadChain(fs_, "/snaps/snapshot-4/")), ElementsAre(1, 2, 4));
  EXPECT_THAT(VersionsOf(ReadChain(fs_, "/snaps/snapshot-1")), ElementsAre(1));

  const RestoreRequest request = MakeRestoreRequest(ReadChain(fs_, "/snaps/snapshot-4").value());

  EXPECT_EQ(request.directory(), "/snaps/snapshot-1");
  EXPECT_EQ(request.version(), 4U);
  ASSERT_EQ(request.deltas_size(), 2);
  EXPECT_EQ(request.deltas(1).directory(), "/snaps/snapshot-4");
}

TEST_F(SnapshotChainFilesTest, NamesTheLinkThatIsMissing) {
  ASSERT_TRUE(RemoveSnapshot(fs_, "/snaps/snapshot-2").ok());

  const Status status = ReadChain(fs_, "/snaps/snapshot-4").status();

  EXPECT_EQ(status.code(), StatusCode::kDataLoss);
  EXPECT_THAT(status.message(),
              HasSubstr("/snaps/snapshot-4 is a delta of /snaps/snapshot-2, which is not there"));
}

TEST_F(SnapshotChainFilesTest, NamesALinkThatIsAnother) {
  ASSERT_TRUE(RemoveSnapshot(fs_, "/snaps/snapshot-2").ok());
  SnapshotLink other = ReadChain(fs_, "/snaps/snapshot-1").value()[0];
  ++other.manifest_crc32c;
  Commit(fs_, 2, &other);

  EXPECT_THAT(ReadChain(fs_, "/snaps/snapshot-4").status().message(),
              HasSubstr("/snaps/snapshot-2 is not the one that it was made from"));
}

TEST_F(SnapshotChainFilesTest, VerifyNamesTheDamagedFileOfAnyLink) {
  const SnapshotChain chain = ReadChain(fs_, "/snaps/snapshot-4").value();
  EXPECT_TRUE(VerifyChain(fs_, chain).ok());

  fs_.FlipBit("/snaps/snapshot-2/lane-0.aps", 8 * 150);

  EXPECT_THAT(VerifyChain(fs_, chain).message(), HasSubstr("/snaps/snapshot-2/lane-0.aps"));
}

TEST_F(SnapshotChainFilesTest, KeepsWholeChainsAndSweepsWhatFailed) {
  const std::vector<FoundSnapshot> found = ListSnapshots(fs_, "/snaps").value();

  EXPECT_THAT(OutdatedSnapshots(found, 1, 6),
              ElementsAre("/snaps/snapshot-4", "/snaps/snapshot-3", "/snaps/snapshot-2",
                          "/snaps/snapshot-1"));
  EXPECT_THAT(OutdatedSnapshots(found, 0, 6),
              ElementsAre("/snaps/snapshot-4", "/snaps/snapshot-3", "/snaps/snapshot-2",
                          "/snaps/snapshot-1"));
  EXPECT_THAT(OutdatedSnapshots(found, 2, 6), ElementsAre("/snaps/snapshot-3"));
  EXPECT_TRUE(OutdatedSnapshots(found, 2, 3).empty()) << "somebody may still be writing it";
}

// At every step of a removal what is left is whole or has no manifest.
TEST_F(SnapshotChainFilesTest, ARemovalThatIsCutShortLeavesNoBrokenSnapshot) {
  const std::vector<std::string> outdated =
      OutdatedSnapshots(ListSnapshots(fs_, "/snaps").value(), 1, 6);
  for (const std::string& folder : outdated) {
    ASSERT_TRUE(fs_.Remove(folder + "/MANIFEST").ok() || folder == "/snaps/snapshot-3");
    const auto found = ListSnapshots(fs_, "/snaps");
    for (const FoundSnapshot& left : *found) {
      if (left.is_complete) {
        const StatusOr<SnapshotChain> chain = ReadChain(fs_, left.folder);
        ASSERT_TRUE(chain.ok()) << chain.status();
        EXPECT_TRUE(VerifyChain(fs_, *chain).ok());
      }
    }
    ASSERT_TRUE(RemoveSnapshot(fs_, folder).ok());
  }
  EXPECT_THAT(VersionsOf(FindNewestChain(fs_, "/snaps")), ElementsAre(5, 6));
}

}  // namespace
}  // namespace antiphon
