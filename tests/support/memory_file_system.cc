#include "tests/support/memory_file_system.h"

#include <algorithm>
#include <cstring>
#include <fnmatch.h>
#include <utility>

namespace antiphon {
namespace {

// "/" for "/a", "." for "a".
std::string ParentOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) {
    return ".";
  }
  return path.substr(0, std::max<size_t>(slash, 1));
}

std::string NameOf(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

std::string WithoutTrailingSlash(std::string path) {
  while (path.size() > 1 && path.back() == '/') {
    path.pop_back();
  }
  return path;
}

Status NoSuch(const std::string& path) {
  return NotFoundError(path + ": no such file or folder");
}

}  // namespace

class MemoryReadableFile final : public ReadableFile {
 public:
  MemoryReadableFile(MemoryFileSystem& fs, std::shared_ptr<MemoryFileSystem::File> file,
                     uint64_t size)
      : fs_(fs), file_(std::move(file)), size_(size) {}

  StatusOr<size_t> Read(std::span<std::byte> buffer) override {
    AP_ASSIGN_OR_RETURN(const size_t n, fs_.Read(*file_, offset_, buffer));
    offset_ += n;
    return n;
  }
  Status Seek(uint64_t offset) override {
    offset_ = offset;
    return Status();
  }
  uint64_t size() const override { return size_; }

 private:
  MemoryFileSystem& fs_;
  std::shared_ptr<MemoryFileSystem::File> file_;
  const uint64_t size_;
  uint64_t offset_ = 0;
};

class MemoryWritableFile final : public WritableFile {
 public:
  MemoryWritableFile(MemoryFileSystem& fs, std::shared_ptr<MemoryFileSystem::File> file,
                     uint64_t power)
      : fs_(fs), file_(std::move(file)), power_(power) {}

  Status Append(std::span<const std::byte> bytes) override {
    return fs_.Append(*file_, power_, bytes);
  }
  Status Sync() override { return fs_.Sync(*file_, power_); }
  Status Close() override { return Status(); }

 private:
  MemoryFileSystem& fs_;
  std::shared_ptr<MemoryFileSystem::File> file_;
  const uint64_t power_;
};

MemoryFileSystem::MemoryFileSystem() : directories_{".", "/"} {}

MemoryFileSystem::~MemoryFileSystem() = default;

StatusOr<std::unique_ptr<ReadableFile>> MemoryFileSystem::OpenForRead(const std::string& path) {
  MutexLock lock(mu_);
  const auto found = names_.find(path);
  if (found == names_.end()) {
    return NoSuch(path);
  }
  return std::unique_ptr<ReadableFile>(
      std::make_unique<MemoryReadableFile>(*this, found->second, found->second->contents.size()));
}

StatusOr<std::unique_ptr<WritableFile>> MemoryFileSystem::Create(const std::string& path) {
  return OpenForWrite(path, /*truncate=*/true);
}

StatusOr<std::unique_ptr<WritableFile>> MemoryFileSystem::OpenForAppend(const std::string& path) {
  return OpenForWrite(path, /*truncate=*/false);
}

StatusOr<std::unique_ptr<WritableFile>> MemoryFileSystem::OpenForWrite(const std::string& path,
                                                                       bool truncate) {
  MutexLock lock(mu_);
  if (!directories_.contains(ParentOf(path))) {
    return NoSuch(ParentOf(path));
  }
  if (directories_.contains(path)) {
    return InvalidArgumentError(path + ": is a folder, expected a file");
  }
  std::shared_ptr<File>& file = names_[path];
  if (file == nullptr) {
    file = std::make_shared<File>();
  } else if (truncate) {
    file->contents.clear();
  }
  return std::unique_ptr<WritableFile>(std::make_unique<MemoryWritableFile>(*this, file, power_));
}

Status MemoryFileSystem::Rename(const std::string& from, const std::string& to) {
  MutexLock lock(mu_);
  AP_RETURN_IF_ERROR(Begin(Operation::kRename, from));
  if (const auto found = names_.find(from); found != names_.end()) {
    std::shared_ptr<File> file = found->second;
    names_.erase(found);
    names_[to] = std::move(file);
    return Status();
  }
  if (!directories_.contains(from)) {
    return NoSuch(from);
  }
  // A folder: all that lies below it moves along, at once and for good.
  const auto moved = [&](const std::string& path) { return to + path.substr(from.size()); };
  const auto below = [&](const std::string& path) {
    return path == from || path.starts_with(from + "/");
  };
  std::set<std::string> directories;
  for (const std::string& directory : directories_) {
    directories.insert(below(directory) ? moved(directory) : directory);
  }
  directories_ = std::move(directories);
  for (Names* names : {&names_, &durable_names_}) {
    Names renamed;
    for (auto& [path, file] : *names) {
      renamed[below(path) ? moved(path) : path] = std::move(file);
    }
    *names = std::move(renamed);
  }
  return Status();
}

Status MemoryFileSystem::SyncDirectory(const std::string& directory) {
  const std::string folder = WithoutTrailingSlash(directory);
  MutexLock lock(mu_);
  AP_RETURN_IF_ERROR(Begin(Operation::kSyncDirectory, folder));
  if (!directories_.contains(folder)) {
    return NoSuch(folder);
  }
  std::erase_if(durable_names_, [&](const auto& entry) { return ParentOf(entry.first) == folder; });
  for (const auto& [path, file] : names_) {
    if (ParentOf(path) == folder) {
      durable_names_[path] = file;
    }
  }
  return Status();
}

Status MemoryFileSystem::MakeDirectories(const std::string& directory) {
  MutexLock lock(mu_);
  for (std::string folder = WithoutTrailingSlash(directory); !directories_.contains(folder);
       folder = ParentOf(folder)) {
    if (names_.contains(folder)) {
      return UnavailableError(folder + ": is a file, expected a folder");
    }
    directories_.insert(folder);
  }
  return Status();
}

StatusOr<std::vector<std::string>> MemoryFileSystem::List(const std::string& directory) {
  const std::string folder = WithoutTrailingSlash(directory);
  MutexLock lock(mu_);
  if (!directories_.contains(folder)) {
    return NoSuch(folder);
  }
  std::vector<std::string> found;
  for (const auto& [path, file] : names_) {
    if (ParentOf(path) == folder) {
      found.push_back(NameOf(path));
    }
  }
  for (const std::string& path : directories_) {
    if (path != "/" && path != "." && ParentOf(path) == folder) {
      found.push_back(NameOf(path));
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

Status MemoryFileSystem::Remove(const std::string& path) {
  MutexLock lock(mu_);
  if (names_.erase(path) > 0) {
    return Status();
  }
  if (!directories_.contains(path)) {
    return NoSuch(path);
  }
  const auto inside = [&](const std::string& other) { return other.starts_with(path + "/"); };
  const bool occupied =
      std::any_of(names_.begin(), names_.end(), [&](const auto& n) { return inside(n.first); }) ||
      std::any_of(directories_.begin(), directories_.end(), inside);
  if (occupied) {
    return UnavailableError(path + ": the folder is not empty");
  }
  directories_.erase(path);
  return Status();
}

bool MemoryFileSystem::Exists(const std::string& path) {
  MutexLock lock(mu_);
  return names_.contains(path) || directories_.contains(WithoutTrailingSlash(path));
}

bool MemoryFileSystem::IsDirectory(const std::string& path) {
  MutexLock lock(mu_);
  return directories_.contains(WithoutTrailingSlash(path));
}

StatusOr<std::vector<std::string>> MemoryFileSystem::Glob(const std::string& pattern) {
  MutexLock lock(mu_);
  std::vector<std::string> paths;
  for (const auto& [path, file] : names_) {
    if (::fnmatch(pattern.c_str(), path.c_str(), FNM_PATHNAME | FNM_PERIOD) == 0) {
      paths.push_back(path);
    }
  }
  return paths;
}

void MemoryFileSystem::FailAt(Operation operation, int nth) {
  MutexLock lock(mu_);
  failures_[operation].insert(counts_[operation] + nth);
}

void MemoryFileSystem::SetCapacity(uint64_t bytes) {
  MutexLock lock(mu_);
  capacity_ = bytes;
}

void MemoryFileSystem::CutPower() {
  MutexLock lock(mu_);
  ++power_;
  names_ = durable_names_;
  for (auto& [path, file] : names_) {
    file->contents = file->synced;
  }
}

void MemoryFileSystem::FlipBit(const std::string& path, uint64_t bit) {
  MutexLock lock(mu_);
  const auto found = names_.find(path);
  CHECK(found != names_.end()) << path;
  for (std::string* contents : {&found->second->contents, &found->second->synced}) {
    if (bit / 8 < contents->size()) {
      (*contents)[bit / 8] = static_cast<char>((*contents)[bit / 8] ^ (1 << (bit % 8)));
    }
  }
}

int MemoryFileSystem::count(Operation operation) {
  MutexLock lock(mu_);
  return counts_[operation];
}

Status MemoryFileSystem::Begin(Operation operation, const std::string& path) {
  const int number = ++counts_[operation];
  if (failures_[operation].contains(number)) {
    return UnavailableError(path + ": failed because the test said so");
  }
  return Status();
}

uint64_t MemoryFileSystem::BytesUsed() const {
  uint64_t bytes = 0;
  for (const auto& [path, file] : names_) {
    bytes += file->contents.size();
  }
  return bytes;
}

Status MemoryFileSystem::Append(File& file, uint64_t power, std::span<const std::byte> bytes) {
  MutexLock lock(mu_);
  if (power != power_) {
    return UnavailableError("the power was cut since the file was opened");
  }
  Status status = Begin(Operation::kWrite, "write");
  size_t n = bytes.size();
  if (!status.ok()) {
    n /= 2;
  } else if (const uint64_t used = BytesUsed(); used + n > capacity_) {
    n = capacity_ > used ? capacity_ - used : 0;
    status = ResourceExhaustedError("write: no space left on device");
  }
  file.contents.append(reinterpret_cast<const char*>(bytes.data()), n);
  return status;
}

Status MemoryFileSystem::Sync(File& file, uint64_t power) {
  MutexLock lock(mu_);
  if (power != power_) {
    return UnavailableError("the power was cut since the file was opened");
  }
  AP_RETURN_IF_ERROR(Begin(Operation::kSync, "sync"));
  file.synced = file.contents;
  return Status();
}

StatusOr<size_t> MemoryFileSystem::Read(const File& file, uint64_t offset,
                                        std::span<std::byte> buffer) {
  MutexLock lock(mu_);
  if (offset >= file.contents.size()) {
    return size_t{0};
  }
  const size_t n = std::min<size_t>(buffer.size(), file.contents.size() - offset);
  std::memcpy(buffer.data(), file.contents.data() + offset, n);
  return n;
}

}  // namespace antiphon
