// FileLock: holds a file for this process alone (flock), for as long as the object lives. The
// system gives it back when the process dies, however it dies.
#pragma once

#include <string>
#include <utility>

#include "common/base/status.h"

namespace antiphon {

class FileLock {
 public:
  // Creates the file if need be. kAlreadyExists: another process holds it.
  static StatusOr<FileLock> Acquire(const std::string& path);

  FileLock(FileLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  FileLock& operator=(FileLock&&) = delete;
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  ~FileLock();

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}

  int descriptor_;
};

}  // namespace antiphon
