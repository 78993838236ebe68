#include <array>
#include <iostream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/crc32c.h"
#include "common/ckpt/lane_file_reader.h"
#include "common/ckpt/lane_file_writer.h"
#include "tests/common/ckpt/snapshot_fixture.h"
#include "tests/support/memory_file_system.h"

namespace antiphon {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kFolder[] = "/snap";

class LaneFileTest : public ::testing::Test {
 protected:
  LaneFileTest() { EXPECT_TRUE(fs_.MakeDirectories(kFolder).ok()); }

  SnapshotFile WriteSmall() {
    StatusOr<SnapshotFile> file = WriteSmallFile(fs_, kFolder, 0);
    EXPECT_TRUE(file.ok()) << file.status();
    return *file;
  }

  std::string Load(const SnapshotFile& file) {
    return ReadWholeFile(fs_, std::string(kFolder) + "/" + file.name(), 1 << 20).value();
  }

  // Stores other contents under the file's name and makes the manifest entry agree with them.
  SnapshotFile Store(SnapshotFile file, const std::string& contents) {
    EXPECT_TRUE(WriteFileAtomically(fs_, std::string(kFolder) + "/" + file.name(), contents).ok());
    file.set_bytes(contents.size());
    file.set_crc32c(Crc32c(BytesOf(contents)));
    return file;
  }

  Status ReadStatus(const SnapshotFile& file) { return ReadFile(fs_, kFolder, file).status(); }

  MemoryFileSystem fs_;
};

TEST_F(LaneFileTest, ReadsBackWhatWasWritten) {
  const SnapshotFile file = WriteSmall();

  const StatusOr<FileContents> contents = ReadFile(fs_, kFolder, file);

  ASSERT_TRUE(contents.ok()) << contents.status();
  EXPECT_EQ(contents->header.SerializeAsString(), SmallHeader(0).SerializeAsString());
  EXPECT_THAT(contents->payloads,
              ElementsAre("row-0000row-0001row-0002", "eight floats would be here"));
  ASSERT_EQ(contents->blocks.size(), 2u);
  EXPECT_EQ(contents->blocks[0].kind, BlockKind::kRows);
  EXPECT_EQ(contents->blocks[0].subject, 1u);
  EXPECT_EQ(contents->blocks[0].count, 3u);
  EXPECT_EQ(contents->blocks[1].kind, BlockKind::kChunk);
  EXPECT_EQ(contents->blocks[1].index, 5u);
  EXPECT_EQ(file.name(), "lane-0.aps");
  EXPECT_EQ(file.rows(), 3u);
  EXPECT_EQ(file.chunks(), 1u);
  EXPECT_EQ(file.bytes(), Load(file).size());
  EXPECT_EQ(file.crc32c(), Crc32c(BytesOf(Load(file))));
}

TEST_F(LaneFileTest, RefusesEveryFlippedBit) {
  const SnapshotFile file = WriteSmall();
  const std::string path = std::string(kFolder) + "/" + file.name();

  for (uint64_t bit = 0; bit < 8 * file.bytes(); ++bit) {
    fs_.FlipBit(path, bit);
    EXPECT_FALSE(ReadStatus(file).ok()) << "bit " << bit % 8 << " of byte " << bit / 8;
    fs_.FlipBit(path, bit);
  }
  EXPECT_TRUE(ReadStatus(file).ok());
  std::cout << 8 * file.bytes() << " flipped bits, each refused\n";
}

TEST_F(LaneFileTest, RefusesEveryTruncationEvenWhenTheManifestAgrees) {
  const SnapshotFile file = WriteSmall();
  const std::string whole = Load(file);

  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(ReadStatus(Store(file, whole.substr(0, size))).ok()) << size << " bytes";
  }
}

TEST_F(LaneFileTest, RefusesBytesAfterTheEnd) {
  const SnapshotFile file = WriteSmall();

  const Status status = ReadStatus(Store(file, Load(file) + "x"));

  EXPECT_EQ(status.code(), StatusCode::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr("1 bytes follow the end block"));
}

TEST_F(LaneFileTest, RefusesAnotherGoodFileUnderTheSameName) {
  const SnapshotFile file = WriteSmall();
  SnapshotFile other = file;
  other.set_crc32c(file.crc32c() + 1);

  EXPECT_THAT(ReadStatus(other).message(), HasSubstr("not the one that the manifest names"));
}

TEST_F(LaneFileTest, RefusesOtherCountsThanTheManifestSays) {
  SnapshotFile file = WriteSmall();
  file.set_rows(4);

  EXPECT_THAT(ReadStatus(file).message(), HasSubstr("3 rows, 1 chunks"));
}

TEST_F(LaneFileTest, NamesFileAndOffsetOfTheDamage) {
  const SnapshotFile file = WriteSmall();
  fs_.FlipBit(std::string(kFolder) + "/lane-0.aps", 0);

  const Status status = ReadStatus(file);

  EXPECT_EQ(status.code(), StatusCode::kDataLoss);
  EXPECT_THAT(status.message(), AllOf(HasSubstr("/snap/lane-0.aps at byte 0"), HasSubstr("magic")));
}

TEST_F(LaneFileTest, SaysThatAFileIsMissing) {
  SnapshotFile file = WriteSmall();
  file.set_name("lane-9.aps");

  EXPECT_EQ(ReadStatus(file).code(), StatusCode::kNotFound);
}

// A block whose prologue is intact but lies about its size.
TEST_F(LaneFileTest, DoesNotTrustAnIntactLength) {
  const SnapshotFile file = WriteSmall();
  const std::string whole = Load(file);
  const size_t header_end = kSealBytes + SmallHeader(0).ByteSizeLong();
  const std::vector<std::byte> large(1 << 16);
  std::string lying = whole.substr(0, header_end) + std::string(kBlockPrologueBytes, '\0');
  EncodeBlockPrologue(
      {.block = {.kind = BlockKind::kRows, .count = 1, .payload = {}},
       .payload_bytes = large.size(),
       .payload_crc32c = Crc32c(large)},
      std::as_writable_bytes(std::span(lying)).subspan(header_end).first<kBlockPrologueBytes>());

  const Status status = ReadStatus(Store(file, lying));

  EXPECT_EQ(status.code(), StatusCode::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr("a block of 65536 bytes, but the file ends before"));
}

TEST_F(LaneFileTest, LeavesNothingWhenAnyStepOfWritingFails) {
  WriteSmall();
  ASSERT_TRUE(fs_.Remove("/snap/lane-0.aps").ok());
  for (const auto operation :
       {MemoryFileSystem::Operation::kWrite, MemoryFileSystem::Operation::kSync,
        MemoryFileSystem::Operation::kRename}) {
    const int before = fs_.count(operation);
    WriteSmall();
    const int steps = fs_.count(operation) - before;
    ASSERT_GT(steps, 0);
    ASSERT_TRUE(fs_.Remove("/snap/lane-0.aps").ok());
    for (int step = 1; step <= steps; ++step) {
      fs_.FailAt(operation, step);

      EXPECT_FALSE(WriteSmallFile(fs_, kFolder, 0).ok());

      EXPECT_THAT(fs_.List(kFolder).value(), ::testing::IsEmpty());
    }
  }
}

}  // namespace
}  // namespace antiphon
