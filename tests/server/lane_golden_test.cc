// tests/golden/snapshot_v1 was written by the first release of the format; every later one reads
// it.
#include <string>

#include <gtest/gtest.h>

#include "common/ckpt/snapshot_manifest.h"
#include "tests/server/lane_fixture.h"

namespace antiphon {
namespace {

const std::string kGolden = std::string(ANTIPHON_SOURCE_DIR) + "/tests/golden/snapshot_v1";
const std::vector<Key> kKeys = {1, 22, 333, 4444, 55555};

// Two lanes, every key of table 1 trained once, every chunk too.
void Train(TestLanes& lanes) {
  for (LaneId lane = 0; lane < 2; ++lane) {
    std::vector<Key> keys = kKeys;
    std::erase_if(keys, [lane](Key key) { return LaneOfKey(1, key, 2) != lane; });
    PullRequest pull = PullOf(1, 1, keys.size());
    pull.set_dense_version(0);
    const Answer pulled = lanes.Call(lane, METHOD_PULL, pull, {BufferOf(keys)});
    PushRequest push = PushOf(1, 1, keys.size(), 0, 10);
    push.set_chunk_bits(pulled.Parse<PullReply>().chunk_bits());
    ASSERT_TRUE(lanes.Call(lane, METHOD_OPEN_PARTITION, OpenRequest(0, 1)).status.ok());
    ASSERT_TRUE(lanes
                    .Call(lane, METHOD_PUSH, push,
                          {BufferOf(std::vector<float>(3 * keys.size(), -1)),
                           BufferOf(std::vector<uint32_t>(keys.size(), 1U << 16)),
                           BufferOf(std::vector<float>(
                               pulled.message.bulk()[1].size() / sizeof(float), -1))})
                    .status.ok());
  }
}

TEST(LaneGoldenTest, RestoresTheFirstFormat) {
  PosixFileSystem fs;
  const SnapshotManifest manifest = ReadManifest(fs, kGolden).value();
  ASSERT_TRUE(VerifySnapshot(fs, kGolden, manifest).ok());
  MemoryFileSystem no_files;
  TestLanes trained(2, no_files);
  trained.Configure();
  Train(trained);
  TestLanes restored(2, fs);
  restored.Configure();
  RestoreRequest restore;
  restore.set_directory(kGolden);
  *restore.mutable_files() = manifest.files();

  for (LaneId lane = 0; lane < 2; ++lane) {
    const Answer answer = restored.Call(lane, METHOD_RESTORE, restore);
    ASSERT_TRUE(answer.status.ok()) << answer.status;
    PullRequest dense;
    dense.set_dense_version(0);
    EXPECT_EQ(restored.Call(lane, METHOD_PULL, dense).Floats(1),
              trained.Call(lane, METHOD_PULL, dense).Floats(1));
  }
  for (const Key key : kKeys) {
    ExplainRequest explain;
    explain.set_table(1);
    explain.set_key(key);
    const LaneId lane = LaneOfKey(1, key, 2);
    const ExplainReply reply = restored.Call(lane, METHOD_EXPLAIN, explain).Parse<ExplainReply>();
    EXPECT_TRUE(reply.found());
    EXPECT_EQ(reply.ShortDebugString(),
              trained.Call(lane, METHOD_EXPLAIN, explain).Parse<ExplainReply>().ShortDebugString());
  }
}

// How the golden folder was made: run with --gtest_also_run_disabled_tests for a new format, into a
// new folder.
TEST(LaneGoldenTest, DISABLED_WritesAGoldenFolder) {
  const std::string folder = ::testing::TempDir() + "/snapshot_golden";
  PosixFileSystem fs;
  ASSERT_TRUE(fs.MakeDirectories(folder).ok());
  TestLanes lanes(2, fs);
  lanes.Configure();
  Train(lanes);
  WriteSnapshotRequest write;
  write.set_directory(folder);
  write.set_version(1);
  SnapshotManifest manifest;
  manifest.set_version(1);
  manifest.set_cluster_id(kTestCluster);
  for (LaneId lane = 0; lane < 2; ++lane) {
    *manifest.add_files() =
        lanes.Call(lane, METHOD_WRITE_SNAPSHOT, write).Parse<WriteSnapshotReply>().file();
  }
  ASSERT_TRUE(WriteManifest(fs, folder, manifest).ok());
}

}  // namespace
}  // namespace antiphon
