// A process that dies, or a machine that loses power, at each change of the disk that a round of
// snapshots makes: what is found afterwards is the snapshot before or the new one, whole.

#include <iostream>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "common/ckpt/snapshot_chain.h"
#include "common/ckpt/snapshot_retention.h"
#include "tests/server/changing_lanes.h"
#include "tests/support/crashing_file_system.h"
#include "tests/support/memory_file_system.h"

namespace antiphon {
namespace {

constexpr char kDirectory[] = "/snaps";

enum class Crash { kProcess, kPower };

// What the scheduler does in a round, with the lanes' part: folder, files, manifest, and the
// removal of what is outdated.
Status Round(ChangingLanes& lanes, FileSystem& fs, uint64_t version, const SnapshotLink* since,
             SnapshotLink* link) {
  link->folder = SnapshotFolder(kDirectory, version);
  link->manifest.set_version(version);
  if (since != nullptr) {
    link->manifest.set_kind(SnapshotManifest::DELTA);
    link->manifest.set_base_version(since->manifest.kind() == SnapshotManifest::DELTA
                                        ? since->manifest.base_version()
                                        : since->manifest.version());
    link->manifest.set_predecessor_version(since->manifest.version());
    link->manifest.set_predecessor_crc32c(since->manifest_crc32c);
  }
  AP_RETURN_IF_ERROR(fs.MakeDirectories(link->folder));
  AP_RETURN_IF_ERROR(fs.SyncDirectory(kDirectory));
  AP_RETURN_IF_ERROR(SaveLanes(lanes, fs, version, since == nullptr ? 0 : since->manifest.version(),
                               nullptr, link->manifest.mutable_files()));
  AP_ASSIGN_OR_RETURN(link->manifest_crc32c, WriteManifest(fs, link->folder, link->manifest));
  AP_ASSIGN_OR_RETURN(const std::vector<FoundSnapshot> found, ListSnapshots(fs, kDirectory));
  for (const std::string& folder : OutdatedSnapshots(found, 1, version)) {
    AP_RETURN_IF_ERROR(RemoveSnapshot(fs, folder));
  }
  return Status();
}

// The model of the newest snapshot, by lanes that start with it.
void Restore(FileSystem& fs, LaneContents& contents, uint64_t& version) {
  const StatusOr<SnapshotChain> chain = FindNewestChain(fs, kDirectory);
  ASSERT_TRUE(chain.ok()) << chain.status();
  const Status whole = VerifyChain(fs, *chain);
  ASSERT_TRUE(whole.ok()) << whole;
  version = chain->back().manifest.version();
  ChangingLanes lanes(3, fs);
  const Status restored = lanes.Restore(MakeRestoreRequest(*chain));
  ASSERT_TRUE(restored.ok()) << restored;
  contents = lanes.All();
}

// Two snapshots, a full one and the one that dies: a delta, or a full one that makes the other two
// superfluous. Returns how many changes the last round makes when it does not die.
int DieAt(int change, bool is_delta, Crash crash) {
  SCOPED_TRACE("change " + std::to_string(change) + (is_delta ? " of a delta" : " of a full one") +
               (crash == Crash::kPower ? ", power cut" : ", kill"));
  Rng rng(11);
  MemoryFileSystem disk;
  EXPECT_TRUE(disk.MakeDirectories(kDirectory).ok());
  ChangingLanes lanes(2, disk);
  SnapshotLink first;
  SnapshotLink second;
  const auto change_some = [&] {
    for (int i = 0; i < 30; ++i) {
      lanes.Change(rng);
    }
  };
  change_some();
  EXPECT_TRUE(Round(lanes, disk, 1, nullptr, &first).ok());
  const LaneContents before = lanes.All();

  // The same lanes, on a disk that the process dies at.
  CrashingFileSystem dying(disk, change);
  ChangingLanes dying_lanes(2, dying);
  EXPECT_TRUE(dying_lanes.Restore(MakeRestoreRequest({first})).ok());
  for (int i = 0; i < 30; ++i) {
    dying_lanes.Change(rng);
  }
  const LaneContents after = dying_lanes.All();
  const Status status = Round(dying_lanes, dying, 2, is_delta ? &first : nullptr, &second);
  EXPECT_EQ(status.ok(), change == 0);
  if (crash == Crash::kPower) {
    disk.CutPower();
  }

  LaneContents found;
  uint64_t version = 0;
  Restore(disk, found, version);
  EXPECT_EQ(found, version == 2 ? after : before);
  // The round after it succeeds, and sweeps what was left.
  SnapshotLink third;
  const Status next = Round(lanes, disk, 3, nullptr, &third);
  EXPECT_TRUE(next.ok()) << next;
  const auto left = ListSnapshots(disk, kDirectory);
  EXPECT_TRUE(left.ok() && left->size() == 1);
  return dying.changes();
}

// Dies at each change of the disk that a round makes, of a delta and of a full one.
void DieEverywhere(Crash crash) {
  int deaths = 0;
  for (const bool is_delta : {false, true}) {
    const int changes = DieAt(0, is_delta, crash);
    ASSERT_GT(changes, 20);
    for (int change = 1; change <= changes; ++change, ++deaths) {
      DieAt(change, is_delta, crash);
    }
  }
  std::cout << deaths << " deaths: a whole snapshot after each\n";
}

TEST(SnapshotCrashTest, AKillAtAnyChangeOfTheDiskLeavesAWholeSnapshot) {
  DieEverywhere(Crash::kProcess);
}

TEST(SnapshotCrashTest, APowerCutAtAnyChangeOfTheDiskLeavesAWholeSnapshot) {
  DieEverywhere(Crash::kPower);
}

// No room, at each size that the disk may have: the round fails, the lane goes on, and with room
// again the next round succeeds.
TEST(SnapshotCrashTest, AFullDiskFailsTheRoundAndNothingElse) {
  Rng rng(12);
  MemoryFileSystem fs;
  ASSERT_TRUE(fs.MakeDirectories(kDirectory).ok());
  ChangingLanes lanes(2, fs);
  for (int i = 0; i < 30; ++i) {
    lanes.Change(rng);
  }
  SnapshotLink first;
  ASSERT_TRUE(Round(lanes, fs, 1, nullptr, &first).ok());
  const LaneContents before = lanes.All();
  uint64_t bytes = 0;
  for (const SnapshotFile& file : first.manifest.files()) {
    bytes += file.bytes();
  }
  uint64_t version = 2;
  for (uint64_t room = bytes; room < 2 * bytes; room += bytes / 7, ++version) {
    fs.SetCapacity(room);
    SnapshotLink link;
    const Status status = Round(lanes, fs, version, nullptr, &link);
    EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
    LaneContents found;
    uint64_t found_version = 0;
    Restore(fs, found, found_version);
    EXPECT_EQ(found_version, 1U);
    EXPECT_EQ(found, before);
    lanes.Change(rng);
  }
  fs.SetCapacity(UINT64_MAX);
  SnapshotLink link;
  EXPECT_TRUE(Round(lanes, fs, version, nullptr, &link).ok());
}

}  // namespace
}  // namespace antiphon
