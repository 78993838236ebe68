// MemoryFileSystem: files in memory that fail when a test says so, and that a power cut can hit.
//
// Guarded: any thread may call it. It keeps what a process sees and, apart from it, what the disk
// would still hold after a power cut: contents as of the last Sync of a file, names as of the last
// SyncDirectory of a folder. Folders themselves survive from the moment they are made.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "common/base/file_system.h"
#include "common/base/mutex.h"

namespace antiphon {

class MemoryFileSystem final : public FileSystem {
 public:
  enum class Operation { kWrite, kSync, kRename, kSyncDirectory };

  MemoryFileSystem();
  ~MemoryFileSystem() override;

  StatusOr<std::unique_ptr<ReadableFile>> OpenForRead(const std::string& path) override;
  StatusOr<std::unique_ptr<WritableFile>> Create(const std::string& path) override;
  StatusOr<std::unique_ptr<WritableFile>> OpenForAppend(const std::string& path) override;
  Status Rename(const std::string& from, const std::string& to) override;
  Status SyncDirectory(const std::string& directory) override;
  Status MakeDirectories(const std::string& directory) override;
  StatusOr<std::vector<std::string>> List(const std::string& directory) override;
  Status Remove(const std::string& path) override;
  bool Exists(const std::string& path) override;
  bool IsDirectory(const std::string& path) override;
  StatusOr<std::vector<std::string>> Glob(const std::string& pattern) override;

  // The `nth` operation of this kind from now on (1 is the next) fails with kUnavailable. A write
  // that fails leaves half of its bytes behind.
  void FailAt(Operation operation, int nth) AP_EXCLUDES(mu_);

  // All files together hold no more than `bytes`; a write past it stores what fits and fails with
  // kResourceExhausted.
  void SetCapacity(uint64_t bytes) AP_EXCLUDES(mu_);

  // Forgets everything that was not synced. Open files of before the cut fail from now on.
  void CutPower() AP_EXCLUDES(mu_);

  // Flips one bit of a file, on the disk too.
  void FlipBit(const std::string& path, uint64_t bit) AP_EXCLUDES(mu_);

  // Operations of this kind that were asked for so far; for tests that fail each one in turn.
  int count(Operation operation) AP_EXCLUDES(mu_);

 private:
  friend class MemoryReadableFile;
  friend class MemoryWritableFile;

  struct File {
    std::string contents;
    std::string synced;
  };
  using Names = std::map<std::string, std::shared_ptr<File>>;

  StatusOr<std::unique_ptr<WritableFile>> OpenForWrite(const std::string& path, bool truncate);
  Status Append(File& file, uint64_t power, std::span<const std::byte> bytes) AP_EXCLUDES(mu_);
  Status Sync(File& file, uint64_t power) AP_EXCLUDES(mu_);
  StatusOr<size_t> Read(const File& file, uint64_t offset, std::span<std::byte> buffer)
      AP_EXCLUDES(mu_);
  Status Begin(Operation operation, const std::string& path) AP_REQUIRES(mu_);
  uint64_t BytesUsed() const AP_REQUIRES(mu_);

  Mutex mu_;
  Names names_ AP_GUARDED_BY(mu_);          // as processes see them
  Names durable_names_ AP_GUARDED_BY(mu_);  // as they are after a power cut
  std::set<std::string> directories_ AP_GUARDED_BY(mu_);
  std::map<Operation, int> counts_ AP_GUARDED_BY(mu_);
  std::map<Operation, std::set<int>> failures_ AP_GUARDED_BY(mu_);
  uint64_t capacity_ AP_GUARDED_BY(mu_) = UINT64_MAX;
  uint64_t power_ AP_GUARDED_BY(mu_) = 0;  // how often it was cut
};

}  // namespace antiphon
