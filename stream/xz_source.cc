#include <lzma.h>
#include <utility>

#include "stream/byte_source.h"

namespace antiphon {
namespace {

constexpr uint64_t kMaxMemoryBytes = 256 << 20;  // more than the largest preset needs

class XzSource final : public ByteSource {
 public:
  explicit XzSource(PackedInput input) : input_(std::move(input)) {}
  ~XzSource() override { lzma_end(&stream_); }
  XzSource(const XzSource&) = delete;
  XzSource& operator=(const XzSource&) = delete;

  bool Init() {
    return lzma_stream_decoder(&stream_, kMaxMemoryBytes, LZMA_CONCATENATED) == LZMA_OK;
  }

  bool can_seek() const override { return false; }
  Status Seek(uint64_t /*offset*/) override {
    return UnimplementedError("an xz file cannot be read from the middle");
  }

  StatusOr<size_t> Read(std::span<std::byte> buffer) override {
    if (at_end_) {
      return size_t{0};
    }
    stream_.next_out = reinterpret_cast<uint8_t*>(buffer.data());
    stream_.avail_out = buffer.size();
    while (stream_.avail_out == buffer.size() && !at_end_) {
      AP_RETURN_IF_ERROR(Decode());
    }
    const size_t written = buffer.size() - stream_.avail_out;
    AP_RETURN_IF_ERROR(input_.NoteUnpacked(written));
    return written;
  }

 private:
  Status Decode() {
    AP_RETURN_IF_ERROR(input_.Refill());
    const std::span<const std::byte> packed = input_.remaining();
    stream_.next_in = reinterpret_cast<const uint8_t*>(packed.data());
    stream_.avail_in = packed.size();
    const lzma_ret result = lzma_code(&stream_, packed.empty() ? LZMA_FINISH : LZMA_RUN);
    input_.Consume(packed.size() - stream_.avail_in);
    switch (result) {
      case LZMA_OK:
        return Status();
      case LZMA_STREAM_END:
        at_end_ = true;
        return Status();
      case LZMA_BUF_ERROR:
        return input_.Damaged("the file ends inside an xz stream: it is truncated");
      case LZMA_MEMLIMIT_ERROR:
      case LZMA_MEM_ERROR:
        return input_.Damaged("needs too much memory to unpack; pack it with xz -6 or less");
      default:
        return input_.Damaged("not valid xz: damaged");
    }
  }

  PackedInput input_;
  lzma_stream stream_ = LZMA_STREAM_INIT;
  bool at_end_ = false;
};

}  // namespace

StatusOr<std::unique_ptr<ByteSource>> MakeXzSource(PackedInput input) {
  auto source = std::make_unique<XzSource>(std::move(input));
  if (!source->Init()) {
    return ResourceExhaustedError("no memory to unpack xz");
  }
  return std::unique_ptr<ByteSource>(std::move(source));
}

}  // namespace antiphon
