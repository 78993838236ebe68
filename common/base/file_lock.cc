#include "common/base/file_lock.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace antiphon {

StatusOr<FileLock> FileLock::Acquire(const std::string& path) {
  constexpr mode_t kMode = 0600;
  const int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kMode);
  if (descriptor < 0) {
    return UnavailableError(path + ": " + std::strerror(errno));
  }
  FileLock lock(descriptor);
  if (flock(descriptor, LOCK_EX | LOCK_NB) == 0) {
    return lock;
  }
  if (errno == EWOULDBLOCK) {
    return AlreadyExistsError(path + " is held by another process");
  }
  return UnavailableError(path + ": " + std::strerror(errno));
}

FileLock::~FileLock() {
  if (descriptor_ >= 0) {
    close(descriptor_);
  }
}

}  // namespace antiphon
