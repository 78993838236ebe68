#include "common/base/file_system.h"

#include <algorithm>
#include <filesystem>
#include <stdlib.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/memory_file_system.h"

namespace antiphon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Operation = MemoryFileSystem::Operation;

std::span<const std::byte> Bytes(std::string_view text) {
  return std::as_bytes(std::span(text));
}

// A folder that goes away with the test.
class PosixFileSystemTest : public ::testing::Test {
 protected:
  PosixFileSystemTest() {
    std::string pattern = ::testing::TempDir() + "antiphon_fs_XXXXXX";
    CHECK(::mkdtemp(pattern.data()) != nullptr);
    root_ = pattern;
  }
  ~PosixFileSystemTest() override { std::filesystem::remove_all(root_); }

  std::string Path(const std::string& name) const { return root_ + "/" + name; }
  void Write(const std::string& name, std::string_view text) {
    ASSERT_TRUE(WriteFileAtomically(fs_, Path(name), text).ok());
  }

  std::string root_;
  PosixFileSystem fs_;
};

TEST_F(PosixFileSystemTest, ReadsBackWhatWasWrittenAtomically) {
  Write("a", "old");
  Write("a", "new contents");

  const StatusOr<std::string> contents = ReadWholeFile(fs_, Path("a"), 100);

  ASSERT_TRUE(contents.ok()) << contents.status();
  EXPECT_EQ(*contents, "new contents");
  EXPECT_THAT(*fs_.List(root_), ElementsAre("a"));
}

TEST_F(PosixFileSystemTest, AppendsToAFileThatExists) {
  Write("a", "one ");

  auto file = fs_.OpenForAppend(Path("a"));
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE((*file)->Append(Bytes("two")).ok());
  ASSERT_TRUE((*file)->Close().ok());

  EXPECT_EQ(*ReadWholeFile(fs_, Path("a"), 100), "one two");
}

TEST_F(PosixFileSystemTest, SeeksAndReadsUpToTheEnd) {
  Write("a", "0123456789");
  auto file = fs_.OpenForRead(Path("a"));
  ASSERT_TRUE(file.ok());
  std::string buffer(8, '.');

  ASSERT_TRUE((*file)->Seek(7).ok());
  const StatusOr<size_t> n = (*file)->Read(std::as_writable_bytes(std::span(buffer)));

  EXPECT_EQ((*file)->size(), 10u);
  EXPECT_EQ(*n, 3u);
  EXPECT_EQ(buffer.substr(0, 3), "789");
  EXPECT_EQ(*(*file)->Read(std::as_writable_bytes(std::span(buffer))), 0u);
}

TEST_F(PosixFileSystemTest, NamesPathAndReasonOfAnError) {
  const Status status = fs_.OpenForRead(Path("missing")).status();

  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_THAT(status.message(), HasSubstr(Path("missing")));
  EXPECT_THAT(status.message(), HasSubstr("No such file or directory"));
}

TEST_F(PosixFileSystemTest, RefusesToReadAFolder) {
  EXPECT_EQ(fs_.OpenForRead(root_).status().code(), StatusCode::kInvalidArgument);
}

TEST_F(PosixFileSystemTest, ReportsAFullDisk) {
  auto file = fs_.OpenForAppend("/dev/full");
  if (!file.ok()) {
    GTEST_SKIP() << "no /dev/full here: " << file.status();
  }

  const Status status = (*file)->Append(Bytes("x"));

  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
  EXPECT_EQ((*file)->Sync(), status) << "a failed file must not look well again";
}

// Past the page cache only whole sectors go, gathered in a buffer of 2 MiB.
TEST_F(PosixFileSystemTest, WritesLargeFilesOfEverySize) {
  constexpr size_t kBuffer = size_t{2} << 20;
  constexpr size_t kPiece = 300'007;
  for (const size_t size : {size_t{0}, size_t{1}, size_t{4096}, kBuffer - 1, kBuffer, kBuffer + 1,
                            2 * kBuffer, 2 * kBuffer + 777}) {
    std::string text(size, ' ');
    for (size_t i = 0; i < size; ++i) {
      text[i] = static_cast<char>('a' + i % 23);
    }
    auto file = fs_.CreateLarge(Path("large"));
    ASSERT_TRUE(file.ok()) << file.status();
    for (size_t at = 0; at < size; at += kPiece) {
      ASSERT_TRUE((*file)->Append(Bytes(text).subspan(at, std::min(kPiece, size - at))).ok());
    }
    ASSERT_TRUE((*file)->Sync().ok());
    ASSERT_TRUE((*file)->Append(Bytes("behind")).ok());
    ASSERT_TRUE((*file)->Close().ok());

    const StatusOr<std::string> contents = ReadWholeFile(fs_, Path("large"), 8 << 20);

    ASSERT_TRUE(contents.ok()) << contents.status();
    EXPECT_TRUE(*contents == text + "behind") << size;
  }
}

TEST_F(PosixFileSystemTest, RefusesAFileThatIsLargerThanAllowed) {
  Write("a", "12345");

  EXPECT_EQ(*ReadWholeFile(fs_, Path("a"), 5), "12345");
  EXPECT_EQ(ReadWholeFile(fs_, Path("a"), 4).status().code(), StatusCode::kResourceExhausted);
}

TEST_F(PosixFileSystemTest, ReadsAFileWhoseSizeIsUnknown) {
  const StatusOr<std::string> contents = ReadWholeFile(fs_, "/proc/self/status", 1 << 20);

  ASSERT_TRUE(contents.ok()) << contents.status();
  EXPECT_THAT(*contents, HasSubstr("Pid:"));
}

TEST_F(PosixFileSystemTest, MakesFoldersOnceAndAgain) {
  ASSERT_TRUE(fs_.MakeDirectories(Path("x/y/z")).ok());
  EXPECT_TRUE(fs_.MakeDirectories(Path("x/y/z")).ok());
  EXPECT_TRUE(fs_.IsDirectory(Path("x/y")));
  EXPECT_TRUE(fs_.SyncDirectory(Path("x")).ok());

  Write("file", "");
  EXPECT_FALSE(fs_.MakeDirectories(Path("file")).ok());
  EXPECT_FALSE(fs_.MakeDirectories(Path("file/below")).ok());
}

TEST_F(PosixFileSystemTest, ListsAndMatchesInOrder) {
  Write("b.csv", "");
  Write("a.csv", "");
  Write("c.txt", "");

  EXPECT_THAT(*fs_.List(root_), ElementsAre("a.csv", "b.csv", "c.txt"));
  EXPECT_THAT(*fs_.Glob(Path("*.csv")), ElementsAre(Path("a.csv"), Path("b.csv")));
  EXPECT_THAT(*fs_.Glob(Path("*.parquet")), IsEmpty());
  EXPECT_EQ(fs_.List(Path("none")).status().code(), StatusCode::kNotFound);
}

TEST_F(PosixFileSystemTest, RemovesFilesAndEmptyFolders) {
  ASSERT_TRUE(fs_.MakeDirectories(Path("d")).ok());
  Write("d/a", "");

  EXPECT_FALSE(fs_.Remove(Path("d")).ok());
  EXPECT_TRUE(fs_.Remove(Path("d/a")).ok());
  EXPECT_TRUE(fs_.Remove(Path("d")).ok());
  EXPECT_FALSE(fs_.Exists(Path("d")));
  EXPECT_EQ(fs_.Remove(Path("d")).code(), StatusCode::kNotFound);
}

TEST_F(PosixFileSystemTest, RenamesOverAFile) {
  Write("a", "a");
  Write("b", "b");

  ASSERT_TRUE(fs_.Rename(Path("a"), Path("b")).ok());

  EXPECT_EQ(*ReadWholeFile(fs_, Path("b"), 10), "a");
  EXPECT_EQ(fs_.Rename(Path("a"), Path("b")).code(), StatusCode::kNotFound);
}

// Fails each step of a replacement and cuts the power: a failure that was reported left the old
// file in place.
TEST(WriteFileAtomicallyTest, KeepsTheOldContentsWhicheverStepFails) {
  const std::vector<std::pair<Operation, int>> breaks = {{Operation::kWrite, 1},
                                                         {Operation::kSync, 1},
                                                         {Operation::kRename, 1},
                                                         {Operation::kSyncDirectory, 1}};
  for (const auto& [operation, nth] : breaks) {
    MemoryFileSystem fs;
    ASSERT_TRUE(fs.MakeDirectories("/d").ok());
    ASSERT_TRUE(WriteFileAtomically(fs, "/d/f", "old").ok());

    fs.FailAt(operation, nth);
    EXPECT_FALSE(WriteFileAtomically(fs, "/d/f", "new and longer").ok());
    fs.CutPower();

    EXPECT_EQ(*ReadWholeFile(fs, "/d/f", 100), "old") << static_cast<int>(operation);
  }
}

TEST(WriteFileAtomicallyTest, SurvivesAPowerCutOnceItIsDone) {
  MemoryFileSystem fs;
  ASSERT_TRUE(fs.MakeDirectories("/d").ok());

  ASSERT_TRUE(WriteFileAtomically(fs, "/d/f", "new").ok());
  fs.CutPower();

  EXPECT_EQ(*ReadWholeFile(fs, "/d/f", 100), "new");
}

TEST(WriteFileAtomicallyTest, LeavesTheOldFileWhenTheDiskIsFull) {
  MemoryFileSystem fs;
  ASSERT_TRUE(WriteFileAtomically(fs, "f", "old").ok());
  fs.SetCapacity(5);

  EXPECT_EQ(WriteFileAtomically(fs, "f", "new").code(), StatusCode::kResourceExhausted);

  EXPECT_EQ(*ReadWholeFile(fs, "f", 100), "old");
}

// The fake itself: what is not synced is gone, so that the tests above can fail.
TEST(MemoryFileSystemTest, DropsWhatWasNotSynced) {
  MemoryFileSystem fs;
  auto named = fs.Create("named");
  ASSERT_TRUE((*named)->Append(Bytes("synced")).ok());
  ASSERT_TRUE((*named)->Sync().ok());
  ASSERT_TRUE(fs.SyncDirectory(".").ok());
  ASSERT_TRUE((*named)->Append(Bytes(" lost")).ok());
  auto nameless = fs.Create("nameless");
  ASSERT_TRUE((*nameless)->Append(Bytes("x")).ok());
  ASSERT_TRUE((*nameless)->Sync().ok());

  fs.CutPower();

  EXPECT_EQ(*ReadWholeFile(fs, "named", 100), "synced");
  EXPECT_FALSE(fs.Exists("nameless"));
  EXPECT_FALSE((*named)->Append(Bytes("late")).ok());
}

TEST(MemoryFileSystemTest, MovesAFolderWithAllThatIsInIt) {
  MemoryFileSystem fs;
  ASSERT_TRUE(fs.MakeDirectories("/s/v1.tmp").ok());
  ASSERT_TRUE(WriteFileAtomically(fs, "/s/v1.tmp/a", "a").ok());

  ASSERT_TRUE(fs.Rename("/s/v1.tmp", "/s/v1").ok());

  EXPECT_EQ(*ReadWholeFile(fs, "/s/v1/a", 10), "a");
  EXPECT_THAT(*fs.List("/s"), ElementsAre("v1"));
  EXPECT_THAT(*fs.Glob("/s/*/a"), ElementsAre("/s/v1/a"));
}

}  // namespace
}  // namespace antiphon
