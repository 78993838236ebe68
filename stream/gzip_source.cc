#include <algorithm>
#include <limits>
#include <utility>
#include <zlib.h>

#include "stream/byte_source.h"

namespace antiphon {
namespace {

constexpr int kGzipOnly = 16 + MAX_WBITS;  // a header of gzip, not of zlib

class GzipSource final : public ByteSource {
 public:
  explicit GzipSource(PackedInput input) : input_(std::move(input)) {}
  ~GzipSource() override { inflateEnd(&stream_); }
  GzipSource(const GzipSource&) = delete;
  GzipSource& operator=(const GzipSource&) = delete;

  bool Init() { return inflateInit2(&stream_, kGzipOnly) == Z_OK; }

  bool can_seek() const override { return false; }
  Status Seek(uint64_t /*offset*/) override {
    return UnimplementedError("a gzip file cannot be read from the middle");
  }

  StatusOr<size_t> Read(std::span<std::byte> buffer) override {
    size_t written = 0;
    while (written == 0) {
      AP_RETURN_IF_ERROR(input_.Refill());
      if (input_.remaining().empty()) {
        if (inside_member_) {
          return input_.Damaged("the file ends inside a gzip member: it is truncated");
        }
        return size_t{0};
      }
      AP_ASSIGN_OR_RETURN(written, Inflate(buffer));
    }
    AP_RETURN_IF_ERROR(input_.NoteUnpacked(written));
    return written;
  }

 private:
  StatusOr<size_t> Inflate(std::span<std::byte> buffer) {
    constexpr size_t kMax = std::numeric_limits<uInt>::max();
    const std::span<const std::byte> packed = input_.remaining();
    // zlib takes a pointer to what it does not write.
    stream_.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(packed.data()));
    stream_.avail_in = static_cast<uInt>(packed.size());
    stream_.next_out = reinterpret_cast<Bytef*>(buffer.data());
    stream_.avail_out = static_cast<uInt>(std::min(buffer.size(), kMax));
    const uInt room = stream_.avail_out;
    inside_member_ = true;
    const int result = inflate(&stream_, Z_NO_FLUSH);
    input_.Consume(packed.size() - stream_.avail_in);
    if (result == Z_STREAM_END) {
      inside_member_ = false;
      inflateReset(&stream_);  // another member may follow
    } else if (result != Z_OK && result != Z_BUF_ERROR) {
      return input_.Damaged(std::string("not valid gzip: ") +
                            (stream_.msg == nullptr ? "damaged" : stream_.msg));
    }
    return size_t{room - stream_.avail_out};
  }

  PackedInput input_;
  z_stream stream_ = {};
  bool inside_member_ = false;
};

}  // namespace

StatusOr<std::unique_ptr<ByteSource>> MakeGzipSource(PackedInput input) {
  auto source = std::make_unique<GzipSource>(std::move(input));
  if (!source->Init()) {
    return ResourceExhaustedError("no memory to unpack gzip");
  }
  return std::unique_ptr<ByteSource>(std::move(source));
}

}  // namespace antiphon
