#include <memory>
#include <utility>
#include <zstd.h>

#include "stream/byte_source.h"

namespace antiphon {
namespace {

struct FreeStream {
  void operator()(ZSTD_DStream* stream) const { ZSTD_freeDStream(stream); }
};

class ZstdSource final : public ByteSource {
 public:
  ZstdSource(PackedInput input, ZSTD_DStream* stream) : input_(std::move(input)), stream_(stream) {}

  bool can_seek() const override { return false; }
  Status Seek(uint64_t /*offset*/) override {
    return UnimplementedError("a zstd file cannot be read from the middle");
  }

  StatusOr<size_t> Read(std::span<std::byte> buffer) override {
    ZSTD_outBuffer out = {buffer.data(), buffer.size(), 0};
    while (out.pos == 0) {
      AP_RETURN_IF_ERROR(input_.Refill());
      const std::span<const std::byte> packed = input_.remaining();
      if (packed.empty() && !inside_frame_) {
        return size_t{0};
      }
      ZSTD_inBuffer in = {packed.data(), packed.size(), 0};
      const size_t result = ZSTD_decompressStream(stream_.get(), &out, &in);
      input_.Consume(in.pos);
      if (ZSTD_isError(result) != 0) {
        return input_.Damaged(std::string("not valid zstd: ") + ZSTD_getErrorName(result));
      }
      inside_frame_ = result != 0;
      if (packed.empty() && inside_frame_ && out.pos == 0) {
        return input_.Damaged("the file ends inside a zstd frame: it is truncated");
      }
    }
    AP_RETURN_IF_ERROR(input_.NoteUnpacked(out.pos));
    return out.pos;
  }

 private:
  PackedInput input_;
  std::unique_ptr<ZSTD_DStream, FreeStream> stream_;
  bool inside_frame_ = false;
};

}  // namespace

StatusOr<std::unique_ptr<ByteSource>> MakeZstdSource(PackedInput input) {
  ZSTD_DStream* stream = ZSTD_createDStream();
  if (stream == nullptr) {
    return ResourceExhaustedError("no memory to unpack zstd");
  }
  return std::unique_ptr<ByteSource>(new ZstdSource(std::move(input), stream));
}

}  // namespace antiphon
