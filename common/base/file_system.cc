#include "common/base/file_system.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <glob.h>
#include <new>
#include <sys/mman.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace antiphon {
namespace {

StatusCode CodeOf(int error) {
  switch (error) {
    case ENOENT:
      return StatusCode::kNotFound;
    case EACCES:
    case EPERM:
    case EROFS:
      return StatusCode::kPermissionDenied;
    case ENOSPC:
    case EDQUOT:
      return StatusCode::kResourceExhausted;
    case EEXIST:
      return StatusCode::kAlreadyExists;
    default:
      return StatusCode::kUnavailable;
  }
}

// "cannot VERB PATH: No such file or directory".
Status FileError(std::string_view verb, const std::string& path, int error) {
  std::string message("cannot ");
  message += verb;
  message += ' ';
  message += path;
  message += ": ";
  message += std::generic_category().message(error);
  return Status(CodeOf(error), std::move(message));
}

Status FileError(std::string_view verb, const std::string& path, const std::error_code& error) {
  return FileError(verb, path, error.value());
}

// Repeats a system call that a signal interrupted.
template <typename Call>
auto Uninterrupted(Call call) {
  decltype(call()) result;
  do {
    result = call();
  } while (result == -1 && errno == EINTR);
  return result;
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() { Close(); }

  int get() const { return fd_; }

  // 0 or -1 with errno. Not repeated on EINTR: Linux has released the number by then.
  int Close() {
    const int fd = std::exchange(fd_, -1);
    return fd == -1 ? 0 : ::close(fd);
  }

 private:
  int fd_;
};

class PosixReadableFile final : public ReadableFile {
 public:
  PosixReadableFile(std::string path, Descriptor fd, uint64_t size)
      : path_(std::move(path)), fd_(std::move(fd)), size_(size) {}

  StatusOr<size_t> Read(std::span<std::byte> buffer) override {
    size_t done = 0;
    while (done < buffer.size()) {
      const ssize_t n = Uninterrupted(
          [&] { return ::read(fd_.get(), buffer.data() + done, buffer.size() - done); });
      if (n < 0) {
        return FileError("read", path_, errno);
      }
      if (n == 0) {
        break;
      }
      done += static_cast<size_t>(n);
    }
    return done;
  }

  Status Seek(uint64_t offset) override {
    if (::lseek(fd_.get(), static_cast<off_t>(offset), SEEK_SET) == -1) {
      return FileError("seek to " + std::to_string(offset) + " in", path_, errno);
    }
    return Status();
  }

  uint64_t size() const override { return size_; }

 private:
  const std::string path_;
  Descriptor fd_;
  const uint64_t size_;  // when it was opened
};

class PosixWritableFile final : public WritableFile {
 public:
  PosixWritableFile(std::string path, Descriptor fd) : path_(std::move(path)), fd_(std::move(fd)) {}

  Status Append(std::span<const std::byte> bytes) override {
    AP_RETURN_IF_ERROR(failure_);
    while (!bytes.empty()) {
      const ssize_t n =
          Uninterrupted([&] { return ::write(fd_.get(), bytes.data(), bytes.size()); });
      if (n < 0) {
        return Fail(FileError("write", path_, errno));
      }
      bytes = bytes.subspan(static_cast<size_t>(n));
    }
    return Status();
  }

  Status Sync() override {
    AP_RETURN_IF_ERROR(failure_);
    if (Uninterrupted([&] { return ::fsync(fd_.get()); }) == -1) {
      return Fail(FileError("sync", path_, errno));
    }
    return Status();
  }

  Status Close() override {
    if (fd_.Close() == -1) {
      return Fail(FileError("close", path_, errno));
    }
    return failure_;
  }

  const std::string& path() const { return path_; }

 private:
  // The kernel reports a lost page once and then forgets it, so we remember for it: a file that
  // failed keeps failing.
  Status Fail(Status status) {
    failure_ = std::move(status);
    return failure_;
  }

  const std::string path_;
  Descriptor fd_;
  Status failure_;
};

// A file opened with O_DIRECT, which takes whole sectors from aligned memory: bytes are gathered in
// a buffer, and what is left of a sector at a Sync goes the usual way, as does all that follows it.
class DirectWritableFile final : public WritableFile {
 public:
  DirectWritableFile(const std::string& path, Descriptor fd)
      : fd_(fd.get()),
        file_(path, std::move(fd)),
        buffer_(new (kAlignment) std::byte[kBufferBytes]) {
    // Only a request: in small pages a disk gets the same bytes, in many pieces.
    (void)::madvise(buffer_.get(), kBufferBytes, MADV_HUGEPAGE);
  }

  Status Append(std::span<const std::byte> bytes) override {
    if (!direct_) {
      return file_.Append(bytes);
    }
    while (!bytes.empty()) {
      const size_t n = std::min(bytes.size(), kBufferBytes - filled_);
      std::memcpy(buffer_.get() + filled_, bytes.data(), n);
      filled_ += n;
      bytes = bytes.subspan(n);
      if (filled_ == kBufferBytes) {
        AP_RETURN_IF_ERROR(file_.Append(std::span(buffer_.get(), std::exchange(filled_, 0))));
      }
    }
    return Status();
  }

  Status Sync() override {
    AP_RETURN_IF_ERROR(WriteRest());
    return file_.Sync();
  }

  Status Close() override {
    const Status written = WriteRest();
    const Status closed = file_.Close();
    return written.ok() ? closed : written;
  }

 private:
  // A huge page: whole sectors of every size, all in one piece, and as much as a disk likes to get
  // at once.
  static constexpr size_t kBufferBytes = size_t{2} << 20;
  static constexpr std::align_val_t kAlignment{kBufferBytes};

  struct Free {
    void operator()(std::byte* memory) const { ::operator delete[](memory, kAlignment); }
  };

  Status WriteRest() {
    if (!std::exchange(direct_, false)) {
      return Status();
    }
    if (::fcntl(fd_, F_SETFL, 0) == -1) {
      return FileError("write", file_.path(), errno);
    }
    return file_.Append(std::span(buffer_.get(), filled_));
  }

  const int fd_;  // of file_
  PosixWritableFile file_;
  const std::unique_ptr<std::byte, Free> buffer_;
  size_t filled_ = 0;
  bool direct_ = true;
};

StatusOr<Descriptor> OpenDescriptor(const std::string& path, int disposition) {
  constexpr mode_t kMode = 0644;
  Descriptor fd(Uninterrupted(
      [&] { return ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | disposition, kMode); }));
  if (fd.get() == -1) {
    return FileError("create", path, errno);
  }
  return fd;
}

StatusOr<std::unique_ptr<WritableFile>> OpenForWrite(const std::string& path, int disposition) {
  AP_ASSIGN_OR_RETURN(Descriptor fd, OpenDescriptor(path, disposition));
  return std::unique_ptr<WritableFile>(std::make_unique<PosixWritableFile>(path, std::move(fd)));
}

}  // namespace

StatusOr<std::unique_ptr<ReadableFile>> PosixFileSystem::OpenForRead(const std::string& path) {
  Descriptor fd(Uninterrupted([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); }));
  if (fd.get() == -1) {
    return FileError("open", path, errno);
  }
  struct stat info {};
  if (::fstat(fd.get(), &info) == -1) {
    return FileError("open", path, errno);
  }
  if (S_ISDIR(info.st_mode)) {
    return InvalidArgumentError("cannot open " + path + ": it is a folder, expected a file");
  }
  return std::unique_ptr<ReadableFile>(std::make_unique<PosixReadableFile>(
      path, std::move(fd), static_cast<uint64_t>(info.st_size)));
}

StatusOr<std::unique_ptr<WritableFile>> PosixFileSystem::Create(const std::string& path) {
  return OpenForWrite(path, O_TRUNC);
}

StatusOr<std::unique_ptr<WritableFile>> PosixFileSystem::CreateLarge(const std::string& path) {
  StatusOr<Descriptor> fd = OpenDescriptor(path, O_TRUNC | O_DIRECT);
  if (!fd.ok()) {
    // Some file systems, in memory or on the network, cannot. If it is something else, it says so.
    return Create(path);
  }
  return std::unique_ptr<WritableFile>(std::make_unique<DirectWritableFile>(path, *std::move(fd)));
}

StatusOr<std::unique_ptr<WritableFile>> PosixFileSystem::OpenForAppend(const std::string& path) {
  return OpenForWrite(path, O_APPEND);
}

Status PosixFileSystem::Rename(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) != 0) {
    return FileError("rename " + from + " to", to, errno);
  }
  return Status();
}

Status PosixFileSystem::SyncDirectory(const std::string& directory) {
  Descriptor fd(
      Uninterrupted([&] { return ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  if (fd.get() == -1 || Uninterrupted([&] { return ::fsync(fd.get()); }) == -1) {
    return FileError("sync the folder", directory, errno);
  }
  return Status();
}

Status PosixFileSystem::MakeDirectories(const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) {
    return FileError("create the folder", directory, error);
  }
  return Status();
}

StatusOr<std::vector<std::string>> PosixFileSystem::List(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code error;
  std::filesystem::directory_iterator entry(directory, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    names.push_back(entry->path().filename().string());
  }
  if (error) {
    return FileError("list", directory, error);
  }
  std::sort(names.begin(), names.end());
  return names;
}

Status PosixFileSystem::Remove(const std::string& path) {
  if (std::remove(path.c_str()) != 0) {
    return FileError("remove", path, errno);
  }
  return Status();
}

bool PosixFileSystem::Exists(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

bool PosixFileSystem::IsDirectory(const std::string& path) {
  std::error_code error;
  return std::filesystem::is_directory(path, error);
}

StatusOr<std::vector<std::string>> PosixFileSystem::Glob(const std::string& pattern) {
  glob_t found{};
  // Without GLOB_TILDE it looks at nothing that threads share.
  // NOLINTNEXTLINE(concurrency-mt-unsafe)
  const int result = ::glob(pattern.c_str(), GLOB_ERR | GLOB_NOSORT, nullptr, &found);
  const int error = errno;
  std::vector<std::string> paths(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  ::globfree(&found);
  if (result != 0 && result != GLOB_NOMATCH) {
    return FileError("expand the pattern", pattern, result == GLOB_NOSPACE ? ENOMEM : error);
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

StatusOr<std::string> ReadWholeFile(FileSystem& fs, const std::string& path, uint64_t max_bytes) {
  const auto too_large = [&] {
    return ResourceExhaustedError(path + " is larger than " + std::to_string(max_bytes) +
                                  " bytes, the most that is read at once");
  };
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<ReadableFile> file, fs.OpenForRead(path));
  if (file->size() > max_bytes) {
    return too_large();
  }
  // Read to the real end: the size is only a hint for pipes, /proc and files that still grow.
  std::string contents;
  contents.reserve(file->size());
  std::array<std::byte, 64 << 10> chunk;
  while (true) {
    AP_ASSIGN_OR_RETURN(const size_t n, file->Read(chunk));
    if (n == 0) {
      return contents;
    }
    if (contents.size() + n > max_bytes) {
      return too_large();
    }
    contents.append(reinterpret_cast<const char*>(chunk.data()), n);
  }
}

Status WriteFileAtomically(FileSystem& fs, const std::string& path, std::string_view contents) {
  const std::string temporary = path + ".tmp";
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<WritableFile> file, fs.Create(temporary));
  AP_RETURN_IF_ERROR(file->Append(std::as_bytes(std::span(contents))));
  AP_RETURN_IF_ERROR(file->Sync());
  AP_RETURN_IF_ERROR(file->Close());
  AP_RETURN_IF_ERROR(fs.Rename(temporary, path));
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) {
    return fs.SyncDirectory(".");
  }
  return fs.SyncDirectory(path.substr(0, std::max<size_t>(slash, 1)));
}

}  // namespace antiphon
