#include "stream/byte_source.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace antiphon {
namespace {

constexpr size_t kPackedBufferBytes = 256 << 10;

// A file may unpack to kFreeBytes whatever its size; past that, not to more than kMaxExpansion
// times it. Logs pack 5 to 50 times.
constexpr uint64_t kFreeBytes = 64 << 20;
constexpr uint64_t kMaxExpansion = 500;

class PlainSource final : public ByteSource {
 public:
  explicit PlainSource(std::unique_ptr<ReadableFile> file) : file_(std::move(file)) {}

  StatusOr<size_t> Read(std::span<std::byte> buffer) override { return file_->Read(buffer); }
  bool can_seek() const override { return true; }
  Status Seek(uint64_t offset) override { return file_->Seek(offset); }

 private:
  std::unique_ptr<ReadableFile> file_;
};

// Reads until the buffer is full or the file ends.
StatusOr<std::string> ReadStart(ReadableFile& file, size_t size) {
  std::string start(size, '\0');
  size_t filled = 0;
  while (filled < size) {
    AP_ASSIGN_OR_RETURN(const size_t count,
                        file.Read(std::as_writable_bytes(std::span(start)).subspan(filled)));
    if (count == 0) {
      break;
    }
    filled += count;
  }
  start.resize(filled);
  return start;
}

}  // namespace

PackedInput::PackedInput(std::unique_ptr<ReadableFile> file, std::string path)
    : file_(std::move(file)), path_(std::move(path)), buffer_(kPackedBufferBytes) {}

Status PackedInput::Refill() {
  if (begin_ == end_) {
    begin_ = 0;
    end_ = 0;
    AP_ASSIGN_OR_RETURN(end_, file_->Read(buffer_));
  }
  return Status();
}

void PackedInput::Consume(size_t bytes) {
  begin_ += bytes;
  consumed_ += bytes;
}

Status PackedInput::Damaged(const std::string& what) const {
  return DataLossError(path_ + ": offset " + std::to_string(consumed_) + ": " + what);
}

Status PackedInput::NoteUnpacked(size_t bytes) {
  unpacked_ += bytes;
  if (unpacked_ > kFreeBytes && unpacked_ / kMaxExpansion > consumed_) {
    return Damaged("unpacks to more than " + std::to_string(kMaxExpansion) +
                   " times its size; unpack it first if that is right");
  }
  return Status();
}

StatusOr<std::unique_ptr<ByteSource>> OpenByteSource(FileSystem& fs, const std::string& path) {
  if (fs.IsDirectory(path)) {
    return InvalidArgumentError(path + ": is a folder, expected a file");
  }
  AP_ASSIGN_OR_RETURN(std::unique_ptr<ReadableFile> file, fs.OpenForRead(path));
  AP_ASSIGN_OR_RETURN(const std::string start, ReadStart(*file, 6));
  AP_RETURN_IF_ERROR(file->Seek(0));
  if (start.starts_with("\x1f\x8b")) {
    return MakeGzipSource(PackedInput(std::move(file), path));
  }
  if (start.starts_with("\x28\xb5\x2f\xfd")) {
    return MakeZstdSource(PackedInput(std::move(file), path));
  }
  if (start == std::string_view("\xfd"
                                "7zXZ\0",
                                6)) {
    return MakeXzSource(PackedInput(std::move(file), path));
  }
  return std::unique_ptr<ByteSource>(new PlainSource(std::move(file)));
}

}  // namespace antiphon
