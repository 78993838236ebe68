// FileSystem: the seam between us and the disk, so that a test can fill it, break it or cut it.
//
// Errors name the path. Paths are plain strings; nothing here follows a rule about their meaning.
// Any thread may call a FileSystem; a file object belongs to one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"

namespace antiphon {

// Reads from the front to the end.
class ReadableFile {
 public:
  virtual ~ReadableFile() = default;
  // Fills as much of `buffer` as the file still has; returns how much. 0 is the end.
  virtual StatusOr<size_t> Read(std::span<std::byte> buffer) = 0;
  // The next Read begins at `offset` bytes from the front.
  virtual Status Seek(uint64_t offset) = 0;
  virtual uint64_t size() const = 0;
};

// Appends. What is not synced may be gone after a power cut.
class WritableFile {
 public:
  virtual ~WritableFile() = default;
  virtual Status Append(std::span<const std::byte> bytes) = 0;
  // Contents reach the disk (fsync). After a failure the file must be given up, not synced again.
  virtual Status Sync() = 0;
  virtual Status Close() = 0;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;
  virtual StatusOr<std::unique_ptr<ReadableFile>> OpenForRead(const std::string& path) = 0;
  // Creates the file or empties it.
  virtual StatusOr<std::unique_ptr<WritableFile>> Create(const std::string& path) = 0;
  // As Create, for a file of many megabytes that nobody reads soon: where that is possible its
  // bytes go to the disk as they come and stay out of the page cache.
  virtual StatusOr<std::unique_ptr<WritableFile>> CreateLarge(const std::string& path) {
    return Create(path);
  }
  // Creates the file or goes on at its end.
  virtual StatusOr<std::unique_ptr<WritableFile>> OpenForAppend(const std::string& path) = 0;
  virtual Status Rename(const std::string& from, const std::string& to) = 0;
  // Makes a rename or a creation inside `directory` survive a power cut (fsync of the folder).
  virtual Status SyncDirectory(const std::string& directory) = 0;
  // Creates the folder and those above it. An existing folder is fine.
  virtual Status MakeDirectories(const std::string& directory) = 0;
  // Names (without the folder), sorted.
  virtual StatusOr<std::vector<std::string>> List(const std::string& directory) = 0;
  virtual Status Remove(const std::string& path) = 0;  // a file or an empty folder
  virtual bool Exists(const std::string& path) = 0;
  virtual bool IsDirectory(const std::string& path) = 0;
  // Paths that match a shell pattern (`*`, `?`, `[...]`), sorted; empty when none does.
  virtual StatusOr<std::vector<std::string>> Glob(const std::string& pattern) = 0;
};

// The machine's file system.
class PosixFileSystem final : public FileSystem {
 public:
  StatusOr<std::unique_ptr<ReadableFile>> OpenForRead(const std::string& path) override;
  StatusOr<std::unique_ptr<WritableFile>> Create(const std::string& path) override;
  StatusOr<std::unique_ptr<WritableFile>> CreateLarge(const std::string& path) override;
  StatusOr<std::unique_ptr<WritableFile>> OpenForAppend(const std::string& path) override;
  Status Rename(const std::string& from, const std::string& to) override;
  Status SyncDirectory(const std::string& directory) override;
  Status MakeDirectories(const std::string& directory) override;
  StatusOr<std::vector<std::string>> List(const std::string& directory) override;
  Status Remove(const std::string& path) override;
  bool Exists(const std::string& path) override;
  bool IsDirectory(const std::string& path) override;
  StatusOr<std::vector<std::string>> Glob(const std::string& pattern) override;
};

// The whole file, or an error when it is larger than `max_bytes`.
StatusOr<std::string> ReadWholeFile(FileSystem& fs, const std::string& path, uint64_t max_bytes);

// Writes `contents` under a temporary name, syncs, renames to `path`, syncs the folder: a reader
// sees the old file or the new one, also after a power cut.
Status WriteFileAtomically(FileSystem& fs, const std::string& path, std::string_view contents);

}  // namespace antiphon
