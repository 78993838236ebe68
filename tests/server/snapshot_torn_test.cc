// A lane on its thread, a client that pushes without a pause, and snapshots one after the other: no
// row of any file is torn, and each file is of one moment.

#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "common/base/rng.h"
#include "common/net/memory_transport.h"
#include "server/lane_thread.h"
#include "tests/server/lane_fixture.h"
#include "tests/support/memory_file_system.h"
#include "tests/support/stamped_rows.h"

namespace antiphon {
namespace {

constexpr uint32_t kDim = 24;
constexpr uint64_t kRows = 20'000;
constexpr uint32_t kKeys = 500;
constexpr int kSnapshots = 6;

class SnapshotTornTest : public ::testing::Test {
 protected:
  SnapshotTornTest()
      : transport_(clock_),
        snapshots_(fs_, SnapshotWriter::Mode::kThread),
        lane_("lane 0", transport_.Open({.name = "lane", .listen_address = "mem://lane0"}).value(),
              clock_, fs_, snapshots_, {.incarnation = 100}),
        client_(transport_, clock_, 11) {
    client_.ConnectTo("mem://lane0");
  }
  ~SnapshotTornTest() override {
    lane_.Stop();
    snapshots_.Stop();
  }

  Answer Ask(Method method, const google::protobuf::MessageLite& request,
             const std::vector<Buffer>& frames = {}) {
    Answer answer;
    client_.Send(0, method, request, frames, answer);
    while (answer.count == 0) {
      client_.rpc().Poll(std::chrono::milliseconds(100));
    }
    return answer;
  }

  // Updates kKeys distinct rows once.
  void Push(Rng& rng) {
    std::vector<Key> keys(kKeys);
    for (uint64_t i = 0; i < kKeys; ++i) {
      keys[i] = i * (kRows / kKeys) + rng.Below(kRows / kKeys);
    }
    PushRequest push = PushOf(pushes_ + 1, 0, kKeys, pushes_, pushes_ + 1);
    push.set_has_keys(true);
    const Answer answer =
        Ask(METHOD_PUSH, push,
            {BufferOf(std::vector<float>(size_t{kKeys} * kDim, -1)),
             BufferOf(std::vector<uint32_t>(kKeys, 1U << 16)), Buffer(), BufferOf(keys)});
    ASSERT_EQ(answer.Parse<PushReply>().outcome(), PushReply::APPLIED);
    ++pushes_;
  }

  SystemClock clock_;
  MemoryTransport transport_;
  MemoryFileSystem fs_;
  SnapshotWriter snapshots_;
  LaneThread lane_;
  TestClient client_;
  uint64_t pushes_ = 0;
};

TEST_F(SnapshotTornTest, EveryRowCarriesOneStampAndEveryFileOneMoment) {
  ConfigureRequest config = TestConfig(1, 0);
  config.mutable_schema()->clear_tables();
  *config.mutable_schema()->add_tables() = StampedTable(kDim);
  config.mutable_schema()->mutable_blocks(0)->mutable_optimizer()->mutable_sgd_optimizer();
  ASSERT_TRUE(Ask(METHOD_CONFIGURE, config).status.ok());
  ASSERT_TRUE(Ask(METHOD_OPEN_PARTITION, OpenRequest(0, 1)).status.ok());
  ASSERT_TRUE(fs_.MakeDirectories("/snaps").ok());
  Rng rng(1);
  for (int i = 0; i < 100; ++i) {
    Push(rng);
  }
  for (uint64_t version = 1; version <= kSnapshots; ++version) {
    WriteSnapshotRequest write;
    write.set_directory("/snaps/" + std::to_string(version));
    ASSERT_TRUE(fs_.MakeDirectories(write.directory()).ok());
    write.set_version(version);
    Answer written;
    client_.Send(0, METHOD_WRITE_SNAPSHOT, write, {}, written);
    while (written.count == 0) {
      Push(rng);
    }
    const SnapshotFile file = written.Parse<WriteSnapshotReply>().file();

    const StatusOr<StampCheck> check = CheckStamps(fs_, write.directory(), file);
    ASSERT_TRUE(check.ok()) << check.status();
    EXPECT_EQ(check->torn, 0U);
    EXPECT_GT(check->rows, kRows / 2);
    EXPECT_EQ(check->updates, static_cast<double>(check->through * kKeys));
  }
}

}  // namespace
}  // namespace antiphon
