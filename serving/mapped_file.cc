#include "serving/mapped_file.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace antiphon {
namespace {

Status Failed(const std::string& what, const std::string& path) {
  const std::string message = what + " " + path + ": " + std::strerror(errno);
  return errno == ENOENT ? NotFoundError(message) : UnavailableError(message);
}

}  // namespace

StatusOr<std::unique_ptr<MappedFile>> MappedFile::Open(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    return Failed("cannot open", path);
  }
  struct stat info = {};
  if (fstat(file, &info) != 0) {
    const Status status = Failed("cannot look at", path);
    close(file);
    return status;
  }
  const auto size = static_cast<size_t>(info.st_size);
  void* memory = size == 0 ? nullptr : mmap(nullptr, size, PROT_READ, MAP_SHARED, file, 0);
  const Status status = memory == MAP_FAILED ? Failed("cannot map", path) : Status();
  close(file);
  AP_RETURN_IF_ERROR(status);
  return std::unique_ptr<MappedFile>(
      new MappedFile(std::span(static_cast<const std::byte*>(memory), size)));
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) {
    munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
  }
}

}  // namespace antiphon
