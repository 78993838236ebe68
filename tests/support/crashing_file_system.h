// CrashingFileSystem: a process that dies at its n-th change of the disk.
//
// Changes before it go through to the file system behind; the one that it dies at is left out, or,
// where it is a write, half done; nothing comes after it. What the next process finds is what lies
// behind. One thread.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/base/file_system.h"

namespace antiphon {

class CrashingFileSystem final : public FileSystem {
 public:
  // Changes are counted from 1; 0: never dies.
  CrashingFileSystem(FileSystem& behind, int dies_at) : behind_(behind), dies_at_(dies_at) {}

  int changes() const { return changes_; }

  StatusOr<std::unique_ptr<ReadableFile>> OpenForRead(const std::string& path) override {
    return behind_.OpenForRead(path);
  }
  StatusOr<std::unique_ptr<WritableFile>> Create(const std::string& path) override {
    AP_RETURN_IF_ERROR(Change());
    AP_ASSIGN_OR_RETURN(std::unique_ptr<WritableFile> file, behind_.Create(path));
    return std::unique_ptr<WritableFile>(std::make_unique<File>(*this, std::move(file)));
  }
  StatusOr<std::unique_ptr<WritableFile>> OpenForAppend(const std::string& path) override {
    AP_RETURN_IF_ERROR(Change());
    AP_ASSIGN_OR_RETURN(std::unique_ptr<WritableFile> file, behind_.OpenForAppend(path));
    return std::unique_ptr<WritableFile>(std::make_unique<File>(*this, std::move(file)));
  }
  Status Rename(const std::string& from, const std::string& to) override {
    AP_RETURN_IF_ERROR(Change());
    return behind_.Rename(from, to);
  }
  Status SyncDirectory(const std::string& directory) override {
    AP_RETURN_IF_ERROR(Change());
    return behind_.SyncDirectory(directory);
  }
  Status MakeDirectories(const std::string& directory) override {
    AP_RETURN_IF_ERROR(Change());
    return behind_.MakeDirectories(directory);
  }
  StatusOr<std::vector<std::string>> List(const std::string& directory) override {
    return behind_.List(directory);
  }
  Status Remove(const std::string& path) override {
    AP_RETURN_IF_ERROR(Change());
    return behind_.Remove(path);
  }
  bool Exists(const std::string& path) override { return behind_.Exists(path); }
  bool IsDirectory(const std::string& path) override { return behind_.IsDirectory(path); }
  StatusOr<std::vector<std::string>> Glob(const std::string& pattern) override {
    return behind_.Glob(pattern);
  }

 private:
  class File final : public WritableFile {
   public:
    File(CrashingFileSystem& fs, std::unique_ptr<WritableFile> behind)
        : fs_(fs), behind_(std::move(behind)) {}

    Status Append(std::span<const std::byte> bytes) override {
      const Status alive = fs_.Change();
      if (!alive.ok()) {
        if (fs_.changes_ == fs_.dies_at_) {
          behind_->Append(bytes.first(bytes.size() / 2)).IgnoreError();
        }
        return alive;
      }
      return behind_->Append(bytes);
    }
    Status Sync() override {
      AP_RETURN_IF_ERROR(fs_.Change());
      return behind_->Sync();
    }
    Status Close() override { return behind_->Close(); }

   private:
    CrashingFileSystem& fs_;
    std::unique_ptr<WritableFile> behind_;
  };

  Status Change() {
    ++changes_;
    return dies_at_ != 0 && changes_ >= dies_at_ ? UnavailableError("the process is dead")
                                                 : Status();
  }

  FileSystem& behind_;
  const int dies_at_;
  int changes_ = 0;
};

}  // namespace antiphon
