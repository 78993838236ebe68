#include "tools/ctl/snapshot_files.h"

#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/common/ckpt/snapshot_fixture.h"
#include "tests/support/fake_clock.h"
#include "tests/support/memory_file_system.h"

namespace antiphon {
namespace {

using ::testing::HasSubstr;

class SnapshotFilesTest : public ::testing::Test {
 protected:
  SnapshotFilesTest() {
    EXPECT_TRUE(WriteSmallSnapshot(fs_, "/snaps").ok());
    EXPECT_TRUE(fs_.MakeDirectories("/snaps/snapshot-4").ok());
  }

  MemoryFileSystem fs_;
  FakeClock clock_;
  std::ostringstream out_;
  SnapshotFilesContext context_ = {.fs = fs_, .clock = clock_, .out = out_};
};

TEST_F(SnapshotFilesTest, ListsWhatIsCompleteAndWhatIsNot) {
  ASSERT_TRUE(ShowSnapshots(context_, "/snaps").ok());

  EXPECT_THAT(out_.str(), HasSubstr("full"));
  EXPECT_THAT(out_.str(), HasSubstr("incomplete"));
}

TEST_F(SnapshotFilesTest, VerifiesOneOrAFolderAndNamesTheFirstFault) {
  EXPECT_TRUE(VerifySnapshots(context_, "/snaps").ok());
  EXPECT_TRUE(VerifySnapshots(context_, "/snaps/snapshot-3").ok());
  EXPECT_THAT(out_.str(), HasSubstr("/snaps: 1 snapshots, all whole"));

  fs_.FlipBit("/snaps/snapshot-3/lane-1.aps", 8 * 150);

  for (const char* place : {"/snaps", "/snaps/snapshot-3"}) {
    const Status status = VerifySnapshots(context_, place).status();
    EXPECT_EQ(status.code(), StatusCode::kDataLoss);
    EXPECT_THAT(status.message(), HasSubstr("/snaps/snapshot-3/lane-1.aps at byte"));
  }
}

TEST_F(SnapshotFilesTest, SaysWhenThereIsNothing) {
  ASSERT_TRUE(fs_.MakeDirectories("/empty").ok());

  EXPECT_EQ(ShowSnapshots(context_, "/empty").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(VerifySnapshots(context_, "/empty").status().code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace antiphon
