// ByteSource: the plain bytes of a file, whatever it was packed with.
//
// Owned by one thread. The packing is told by the first bytes of the file, not by its name: gzip
// (also several members one after the other), zstd (also several frames), xz, otherwise plain.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/base/file_system.h"
#include "common/base/status.h"

namespace antiphon {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // Fills as much of `buffer` as it can at once; 0 is the end. A truncated or damaged file is
  // kDataLoss and names file and offset.
  virtual StatusOr<size_t> Read(std::span<std::byte> buffer) = 0;
  // Whether Seek works: not for packed files.
  virtual bool can_seek() const = 0;
  // The next Read begins at this offset.
  virtual Status Seek(uint64_t offset) = 0;
};

StatusOr<std::unique_ptr<ByteSource>> OpenByteSource(FileSystem& fs, const std::string& path);

// PackedInput: the packed bytes of a file with a window on what comes next, for the unpackers.
class PackedInput {
 public:
  PackedInput(std::unique_ptr<ReadableFile> file, std::string path);

  // Reads more when nothing is left. Afterwards remaining() is empty only at the end of the file.
  Status Refill();
  std::span<const std::byte> remaining() const {
    return std::span(buffer_).subspan(begin_, end_ - begin_);
  }
  void Consume(size_t bytes);

  // "file.gz: offset 123: what", kDataLoss. The offset is in the packed file.
  Status Damaged(const std::string& what) const;

  // Notes bytes that came out. An error when a small file unpacks to absurdly many of them.
  Status NoteUnpacked(size_t bytes);

 private:
  std::unique_ptr<ReadableFile> file_;
  std::string path_;
  std::vector<std::byte> buffer_;
  size_t begin_ = 0;
  size_t end_ = 0;
  uint64_t consumed_ = 0;
  uint64_t unpacked_ = 0;
};

// One file each: gzip_source.cc, zstd_source.cc, xz_source.cc.
StatusOr<std::unique_ptr<ByteSource>> MakeGzipSource(PackedInput input);
StatusOr<std::unique_ptr<ByteSource>> MakeZstdSource(PackedInput input);
StatusOr<std::unique_ptr<ByteSource>> MakeXzSource(PackedInput input);

}  // namespace antiphon
