#include "common/base/file_lock.h"

#include <string>
#include <unistd.h>

#include <gtest/gtest.h>

namespace antiphon {
namespace {

std::string PathFor(const std::string& test) {
  return ::testing::TempDir() + "file_lock_" + test + "_" + std::to_string(getpid());
}

TEST(FileLockTest, IsHeldByOneAtATime) {
  const std::string path = PathFor("one");
  const StatusOr<FileLock> first = FileLock::Acquire(path);
  ASSERT_TRUE(first.ok()) << first.status();

  const Status second = FileLock::Acquire(path).status();

  EXPECT_EQ(second.code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(second.message(), path + " is held by another process");
  unlink(path.c_str());
}

TEST(FileLockTest, IsFreeAgainWhenTheHolderIsGone) {
  const std::string path = PathFor("again");
  { ASSERT_TRUE(FileLock::Acquire(path).ok()); }

  EXPECT_TRUE(FileLock::Acquire(path).ok());
  unlink(path.c_str());
}

TEST(FileLockTest, NamesAFolderThatDoesNotExist) {
  const Status status = FileLock::Acquire("/nowhere/journal.lock").status();

  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_EQ(status.message(), "/nowhere/journal.lock: No such file or directory");
}

}  // namespace
}  // namespace antiphon
