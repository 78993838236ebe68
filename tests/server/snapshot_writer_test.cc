#include "server/snapshot_writer.h"

#include <atomic>
#include <latch>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/memory_file_system.h"

namespace antiphon {
namespace {

// A disk on which nothing moves until it is let go.
class StuckFileSystem final : public FileSystem {
 public:
  void LetGo() { stuck_.count_down(); }

  StatusOr<std::unique_ptr<WritableFile>> Create(const std::string& path) override {
    stuck_.wait();
    return fs_.Create(path);
  }
  StatusOr<std::unique_ptr<ReadableFile>> OpenForRead(const std::string& path) override {
    return fs_.OpenForRead(path);
  }
  StatusOr<std::unique_ptr<WritableFile>> OpenForAppend(const std::string& path) override {
    return fs_.OpenForAppend(path);
  }
  Status Rename(const std::string& from, const std::string& to) override {
    return fs_.Rename(from, to);
  }
  Status SyncDirectory(const std::string& directory) override {
    return fs_.SyncDirectory(directory);
  }
  Status MakeDirectories(const std::string& directory) override {
    return fs_.MakeDirectories(directory);
  }
  StatusOr<std::vector<std::string>> List(const std::string& directory) override {
    return fs_.List(directory);
  }
  Status Remove(const std::string& path) override { return fs_.Remove(path); }
  bool Exists(const std::string& path) override { return fs_.Exists(path); }
  bool IsDirectory(const std::string& path) override { return fs_.IsDirectory(path); }
  StatusOr<std::vector<std::string>> Glob(const std::string& pattern) override {
    return fs_.Glob(pattern);
  }

 private:
  std::latch stuck_{1};
  MemoryFileSystem fs_;
};

class CountingWaker final : public Waker {
 public:
  void Wake() override {
    ++count_;
    count_.notify_all();
  }
  // Ends once it was woken more often than `before`.
  void WaitBeyond(int before) const { count_.wait(before); }
  int count() const { return count_; }

 private:
  std::atomic<int> count_ = 0;
};

std::shared_ptr<LaneFile> MakeFile(const std::string& name, std::shared_ptr<Waker> waker) {
  return std::make_shared<LaneFile>("dir", name, LaneFileHeader(), std::move(waker));
}

WritePiece Rows(std::shared_ptr<LaneFile> file, std::vector<std::byte> payload) {
  return {.file = std::move(file),
          .kind = BlockKind::kRows,
          .subject = 0,
          .index = 0,
          .count = 1,
          .payload = std::move(payload)};
}

WritePiece End(std::shared_ptr<LaneFile> file) {
  return {.file = std::move(file),
          .kind = BlockKind::kEnd,
          .subject = 0,
          .index = 0,
          .count = 0,
          .payload = {}};
}

TEST(SnapshotWriterTest, WakesALaneThatFoundTheQueueFullOfAnothersPieces) {
  StuckFileSystem fs;
  ASSERT_TRUE(fs.MakeDirectories("dir").ok());
  SnapshotWriter writer(fs, SnapshotWriter::Mode::kThread);
  const std::shared_ptr<LaneFile> first = MakeFile("lane-0.aps", nullptr);
  WritePiece piece = Rows(first, std::vector<std::byte>(8));
  while (writer.TrySubmit(piece)) {
    piece = Rows(first, std::vector<std::byte>(8));
  }
  const auto waker = std::make_shared<CountingWaker>();
  const std::shared_ptr<LaneFile> second = MakeFile("lane-1.aps", waker);
  WritePiece refused = Rows(second, std::vector<std::byte>(8));
  // One may still get in while the writer takes its first piece off the queue.
  while (writer.TrySubmit(refused)) {
    refused = Rows(second, std::vector<std::byte>(8));
  }
  EXPECT_EQ(waker->count(), 0);
  EXPECT_EQ(refused.payload.size(), 8U) << "a refused piece is left as it was";

  fs.LetGo();
  waker->WaitBeyond(0);

  EXPECT_TRUE(writer.TrySubmit(refused));
}

TEST(SnapshotWriterTest, WakesTheLaneWhenItsFileHasAResult) {
  MemoryFileSystem fs;
  ASSERT_TRUE(fs.MakeDirectories("dir").ok());
  SnapshotWriter writer(fs, SnapshotWriter::Mode::kThread);
  const auto waker = std::make_shared<CountingWaker>();
  const std::shared_ptr<LaneFile> file = MakeFile("lane-0.aps", waker);
  WritePiece rows = Rows(file, std::vector<std::byte>(8));
  ASSERT_TRUE(writer.TrySubmit(rows));
  WritePiece end = End(file);
  ASSERT_TRUE(writer.TrySubmit(end));

  waker->WaitBeyond(0);

  const auto result = file->result();
  ASSERT_TRUE(result.has_value());
  ASSERT_TRUE(result->ok()) << result->status();
  EXPECT_EQ((*result)->rows(), 1U);
}

TEST(SnapshotWriterTest, WakesTheLaneWhenItsFileFails) {
  MemoryFileSystem fs;
  ASSERT_TRUE(fs.MakeDirectories("dir").ok());
  fs.FailAt(MemoryFileSystem::Operation::kWrite, 1);
  SnapshotWriter writer(fs, SnapshotWriter::Mode::kThread);
  const auto waker = std::make_shared<CountingWaker>();
  const std::shared_ptr<LaneFile> file = MakeFile("lane-0.aps", waker);
  WritePiece rows = Rows(file, std::vector<std::byte>(8));
  ASSERT_TRUE(writer.TrySubmit(rows));

  waker->WaitBeyond(0);

  ASSERT_TRUE(file->result().has_value());
  EXPECT_FALSE(file->result()->ok());
}

TEST(SnapshotWriterTest, HandsOutTheMemoryOfEarlierFilesAgainButNotOfLargePieces) {
  MemoryFileSystem fs;
  ASSERT_TRUE(fs.MakeDirectories("dir").ok());
  SnapshotWriter writer(fs, SnapshotWriter::Mode::kInline);
  EXPECT_EQ(writer.TakeBuffer().capacity(), 0U);
  {
    const std::shared_ptr<LaneFile> file = MakeFile("lane-0.aps", nullptr);
    WritePiece small = Rows(file, std::vector<std::byte>(100));
    ASSERT_TRUE(writer.TrySubmit(small));
    WritePiece large = Rows(file, std::vector<std::byte>(kBlockTargetBytes + 1));
    ASSERT_TRUE(writer.TrySubmit(large));
    WritePiece end = End(file);
    ASSERT_TRUE(writer.TrySubmit(end));
  }

  const std::vector<std::byte> buffer = writer.TakeBuffer();

  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(buffer.capacity(), 100U);
  EXPECT_EQ(writer.TakeBuffer().capacity(), 0U);
}

}  // namespace
}  // namespace antiphon
