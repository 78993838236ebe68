// The message format: [fixed header] [protobuf] [bulk frame]...
//
// Frame 0 is a FrameHeader of kFrameHeaderBytes, little-endian. Frame 1 is the protobuf message of
// the method (of a reply with an error: the error's text). The others are raw keys and floats.
// The header's checksum covers the header; the body's covers frames 1 and up, and where each ends.
// Decoding checks every limit before anything is allocated, and never stops the process. Pure
// functions. docs/wire.md has the format byte by byte.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include <google/protobuf/message_lite.h>

#include "common/base/status.h"
#include "common/base/types.h"
#include "common/wire/buffer.h"

namespace antiphon {

inline constexpr uint32_t kFrameMagic = 0x31485041;  // "APH1"
inline constexpr uint8_t kWireVersion = 1;
inline constexpr size_t kFrameHeaderBytes = 64;
inline constexpr size_t kMaxFrames = 8;
inline constexpr size_t kMaxMetaBytes = 256 << 10;
inline constexpr size_t kMaxBodyBytes = size_t{256} << 20;

enum class FrameKind : uint8_t { kRequest = 1, kReply = 2 };

struct FrameHeader {
  FrameKind kind = FrameKind::kRequest;
  uint16_t method = 0;
  StatusCode status = StatusCode::kOk;  // of a reply
  uint8_t frame_count = 0;              // all frames, this one included
  uint64_t request_id = 0;              // a reply repeats that of its request
  Incarnation sender = 0;
  uint64_t cluster_id = 0;  // 0: not known yet
  uint64_t epoch = 0;       // of the shard map, 0: not known yet
  uint64_t body_bytes = 0;  // frames 1 and up
  uint32_t body_crc32c = 0;

  friend bool operator==(const FrameHeader&, const FrameHeader&) = default;
};

// Up to kMaxFrames buffers, without an allocation of its own.
class Message {
 public:
  // There must be room: whoever takes frames from outside counts them first.
  void Add(Buffer frame);
  void Clear();
  size_t size() const { return count_; }
  const Buffer& operator[](size_t i) const { return frames_[i]; }
  Buffer& operator[](size_t i) { return frames_[i]; }
  std::span<const Buffer> frames() const { return {frames_.data(), count_}; }
  // The bulk frames, from frame 2.
  std::span<const Buffer> bulk() const { return frames().subspan(std::min<size_t>(2, count_)); }

 private:
  std::array<Buffer, kMaxFrames> frames_;
  size_t count_ = 0;
};

void EncodeHeader(const FrameHeader& header, std::span<std::byte, kFrameHeaderBytes> out);
StatusOr<FrameHeader> DecodeHeader(std::span<const std::byte> bytes);

// A whole message: fills in counts, sizes and checksums of `header`. `meta` may be null (empty).
// kResourceExhausted when `meta` or the body is larger than a peer would take.
StatusOr<Message> EncodeMessage(FrameHeader header, const google::protobuf::MessageLite* meta,
                                std::span<const Buffer> bulk, BufferPool& pool);
// A reply that carries `status` (not success) and its text, cut where it is too long to be read.
Message EncodeError(FrameHeader header, const Status& status, BufferPool& pool);

// Checks magic, version, header checksum, frame count, limits and body checksum. kInvalidArgument:
// not one of our peers; kUnimplemented: one of another version; kDataLoss: damaged on the way;
// kResourceExhausted: past a limit.
StatusOr<FrameHeader> CheckMessage(const Message& message);

// Parses frame 1 of a checked message. `meta` keeps its memory between calls.
Status ParseMeta(const Message& message, google::protobuf::MessageLite& meta);

// What a checked reply says: success, or the error that EncodeError put into it.
Status ReplyStatus(const FrameHeader& header, const Message& message);

}  // namespace antiphon
