#include "stream/byte_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/stream/packed_text.h"
#include "tests/support/memory_file_system.h"

namespace antiphon {
namespace {

using ::testing::HasSubstr;

using Pack = std::string (*)(std::string_view);

std::string Plain(std::string_view text) {
  return std::string(text);
}

// Text that is long and does not repeat exactly.
std::string LongText() {
  std::string text;
  for (int i = 0; i < 100000; ++i) {
    text += std::to_string(i * 7919LL % 100003) + ",";
  }
  return text;
}

StatusOr<std::string> ReadAll(FileSystem& fs, const std::string& path) {
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<ByteSource> source, OpenByteSource(fs, path));
  std::string all;
  std::string piece(1009, '\0');
  while (true) {
    AP_ASSIGN_OR_RETURN(const size_t count, source->Read(std::as_writable_bytes(std::span(piece))));
    if (count == 0) {
      return all;
    }
    all.append(piece, 0, count);
  }
}

class PackedSourceTest : public ::testing::TestWithParam<Pack> {
 protected:
  MemoryFileSystem fs_;
};

TEST_P(PackedSourceTest, GivesBackWhatWasPacked) {
  const std::string text = LongText();
  WriteFile(fs_, "/data", GetParam()(text));

  const StatusOr<std::string> read = ReadAll(fs_, "/data");

  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(*read == text);
}

TEST_P(PackedSourceTest, ReadsPiecesThatFollowEachOther) {
  WriteFile(fs_, "/data", GetParam()("one\n") + GetParam()("two\n"));

  const StatusOr<std::string> read = ReadAll(fs_, "/data");

  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, "one\ntwo\n");
}

INSTANTIATE_TEST_SUITE_P(Packings, PackedSourceTest, ::testing::Values(&Plain, &Gzip, &Zstd, &Xz));

class DamagedSourceTest : public PackedSourceTest {};

TEST_P(DamagedSourceTest, NamesFileAndOffsetOfATruncatedFile) {
  const std::string packed = GetParam()(LongText());
  WriteFile(fs_, "/data", packed.substr(0, packed.size() / 2));

  const Status status = ReadAll(fs_, "/data").status();

  EXPECT_EQ(status.code(), StatusCode::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr("/data: offset " + std::to_string(packed.size() / 2)));
  EXPECT_THAT(status.message(), HasSubstr("truncated"));
}

TEST_P(DamagedSourceTest, RefusesADamagedFile) {
  std::string packed = GetParam()(LongText());
  packed[packed.size() / 2] = static_cast<char>(packed[packed.size() / 2] ^ 0x55);
  packed[packed.size() / 2 + 1] = static_cast<char>(packed[packed.size() / 2 + 1] ^ 0x55);
  WriteFile(fs_, "/data", packed);

  const StatusOr<std::string> read = ReadAll(fs_, "/data");

  // Zstd without a checksum may not notice, but must not fail in another way.
  if (!read.ok()) {
    EXPECT_EQ(read.status().code(), StatusCode::kDataLoss);
  }
}

INSTANTIATE_TEST_SUITE_P(Packings, DamagedSourceTest, ::testing::Values(&Gzip, &Zstd, &Xz));

// The guard is the same for every packing; zstd makes the largest file soonest.
TEST(ByteSourceTest, RefusesAFileThatUnpacksToAbsurdlyMuch) {
  MemoryFileSystem fs;
  WriteFile(fs, "/data", Zstd(std::string(66 << 20, 'x')));
  const StatusOr<std::unique_ptr<ByteSource>> source = OpenByteSource(fs, "/data");
  ASSERT_TRUE(source.ok());
  std::vector<std::byte> buffer(1 << 20);
  Status status;
  while (status.ok()) {
    status = (*source)->Read(buffer).status();
  }

  EXPECT_THAT(status.message(), HasSubstr("unpacks to more than"));
}

TEST(ByteSourceTest, SeeksOnlyInPlainFiles) {
  MemoryFileSystem fs;
  WriteFile(fs, "/plain", "abc");
  WriteFile(fs, "/packed", Gzip("abc"));

  EXPECT_TRUE((*OpenByteSource(fs, "/plain"))->can_seek());
  EXPECT_FALSE((*OpenByteSource(fs, "/packed"))->can_seek());
  EXPECT_FALSE((*OpenByteSource(fs, "/packed"))->Seek(1).ok());
}

TEST(ByteSourceTest, SaysThatAFolderIsNoFile) {
  PosixFileSystem fs;

  EXPECT_THAT(OpenByteSource(fs, ::testing::TempDir()).status().message(),
              HasSubstr("is a folder"));
}

}  // namespace
}  // namespace antiphon
