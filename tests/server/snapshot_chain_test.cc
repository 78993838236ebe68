// Full snapshots and deltas of lanes that go on changing, restored on other numbers of lanes.

#include <array>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/server/changing_lanes.h"
#include "tests/support/memory_file_system.h"

namespace antiphon {
namespace {

using ::testing::HasSubstr;

TEST(SnapshotChainTest, AFullOneAndItsDeltasAreTheLanesAtEachMomentOnAnyNumberOfLanes) {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rng rng(seed);
    MemoryFileSystem fs;
    ChangingLanes lanes(static_cast<uint32_t>(1 + rng.Below(3)), fs);
    RestoreRequest chain;
    for (uint64_t version = 1; version <= 8; ++version) {
      for (uint64_t n = rng.Below(30); n > 0; --n) {
        lanes.Change(rng);
      }
      const LaneContents moment = lanes.All();
      const bool is_full = version == 1 || version == 5;
      const std::string folder = SnapshotFolder("/snaps", version);
      if (is_full) {
        chain.Clear();
        chain.set_directory(folder);
        ASSERT_TRUE(SaveLanes(lanes, fs, version, 0, &rng, chain.mutable_files()).ok());
      } else {
        RestoreDelta& delta = *chain.add_deltas();
        delta.set_directory(folder);
        const Status saved =
            SaveLanes(lanes, fs, version, version - 1, &rng, delta.mutable_files());
        ASSERT_TRUE(saved.ok()) << saved;
      }
      chain.set_version(version);

      for (const uint32_t count : {1, 2, 5}) {
        ChangingLanes restored(count, fs);
        const Status status = restored.Restore(chain);
        ASSERT_TRUE(status.ok()) << status;
        ASSERT_EQ(restored.All(), moment) << "version " << version << " on " << count << " lanes";
      }
    }
  }
}

TEST(SnapshotChainTest, RestoredLanesGoOnWithTheChain) {
  Rng rng(3);
  MemoryFileSystem fs;
  ChangingLanes lanes(2, fs);
  lanes.Change(rng);
  RestoreRequest chain;
  chain.set_directory(SnapshotFolder("/snaps", 1));
  chain.set_version(1);
  ASSERT_TRUE(SaveLanes(lanes, fs, 1, 0, nullptr, chain.mutable_files()).ok());

  ChangingLanes again(2, fs);
  ASSERT_TRUE(again.Restore(chain).ok());
  for (int i = 0; i < 20; ++i) {
    again.Change(rng);
  }
  RestoreDelta& delta = *chain.add_deltas();
  delta.set_directory(SnapshotFolder("/snaps", 2));
  const Status saved = SaveLanes(again, fs, 2, 1, nullptr, delta.mutable_files());

  ASSERT_TRUE(saved.ok()) << saved;
  ChangingLanes restored(1, fs);
  ASSERT_TRUE(restored.Restore(chain).ok());
  EXPECT_EQ(restored.All(), again.All());
}

TEST(SnapshotChainTest, RefusesADeltaOfAnotherSnapshotAndAfterAFailure) {
  Rng rng(4);
  MemoryFileSystem fs;
  ChangingLanes lanes(1, fs);
  lanes.Change(rng);
  SnapshotFiles files;

  EXPECT_EQ(SaveLanes(lanes, fs, 1, 7, nullptr, &files).code(), StatusCode::kFailedPrecondition);
  ASSERT_TRUE(SaveLanes(lanes, fs, 2, 0, nullptr, &files).ok());
  fs.FailAt(MemoryFileSystem::Operation::kSync, 1);
  EXPECT_EQ(SaveLanes(lanes, fs, 3, 2, nullptr, &files).code(), StatusCode::kUnavailable);
  const Status after = SaveLanes(lanes, fs, 4, 2, nullptr, &files);
  EXPECT_EQ(after.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(after.message(), HasSubstr("ask for a full one"));
  EXPECT_TRUE(SaveLanes(lanes, fs, 5, 0, nullptr, &files).ok());
}

TEST(SnapshotChainTest, RefusesLinksThatDoNotFollowEachOther) {
  Rng rng(5);
  MemoryFileSystem fs;
  ChangingLanes lanes(1, fs);
  std::array<SnapshotFiles, 3> files;
  for (uint64_t version = 1; version <= 3; ++version) {
    lanes.Change(rng);
    ASSERT_TRUE(SaveLanes(lanes, fs, version, version - 1, nullptr, &files[version - 1]).ok());
  }
  const auto restore = [&](const std::vector<uint64_t>& versions) {
    RestoreRequest request;
    request.set_directory(SnapshotFolder("/snaps", versions[0]));
    *request.mutable_files() = files[versions[0] - 1];
    for (size_t i = 1; i < versions.size(); ++i) {
      RestoreDelta& delta = *request.add_deltas();
      delta.set_directory(SnapshotFolder("/snaps", versions[i]));
      *delta.mutable_files() = files[versions[i] - 1];
    }
    ChangingLanes restored(1, fs);
    return restored.Restore(request);
  };

  EXPECT_TRUE(restore({1, 2, 3}).ok());
  EXPECT_THAT(restore({1, 3}).message(), HasSubstr("of a delta of version 2, expected one of"));
  EXPECT_THAT(restore({2, 3}).message(), HasSubstr("expected one of a full snapshot"));
  EXPECT_THAT(restore({1, 2, 2}).message(), HasSubstr("of a delta of version 1"));
  EXPECT_THAT(restore({1, 1}).message(), HasSubstr("expected one of a delta"));
}

}  // namespace
}  // namespace antiphon
