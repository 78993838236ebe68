#include "common/wire/frame.h"

#include <bit>
#include <cstring>
#include <string>
#include <utility>

#include "common/base/crc32c.h"

namespace antiphon {
namespace {

static_assert(std::endian::native == std::endian::little, "the wire is little-endian");

// Where the fields of a header lie. Byte 11 and bytes 56 to 59 are zero.
constexpr size_t kMagicAt = 0;
constexpr size_t kVersionAt = 4;
constexpr size_t kKindAt = 5;
constexpr size_t kMethodAt = 6;
constexpr size_t kStatusAt = 8;
constexpr size_t kFrameCountAt = 10;
constexpr size_t kBodyCrcAt = 12;
constexpr size_t kRequestIdAt = 16;
constexpr size_t kSenderAt = 24;
constexpr size_t kClusterIdAt = 32;
constexpr size_t kEpochAt = 40;
constexpr size_t kBodyBytesAt = 48;
constexpr size_t kHeaderCrcAt = 60;

constexpr size_t kMaxErrorBytes = 4096;

template <typename T>
void Put(std::span<std::byte, kFrameHeaderBytes> out, size_t at, T value) {
  std::memcpy(out.data() + at, &value, sizeof(value));
}

template <typename T>
T Get(std::span<const std::byte> bytes, size_t at) {
  T value{};
  std::memcpy(&value, bytes.data() + at, sizeof(value));
  return value;
}

// The size of each frame is part of the sum: bytes that moved from one frame to the next would
// otherwise not be noticed.
uint32_t BodyCrc(std::span<const Buffer> body) {
  uint32_t crc = 0;
  for (const Buffer& frame : body) {
    const uint64_t size = frame.size();
    crc = ExtendCrc32c(crc, std::as_bytes(std::span(&size, 1)));
    crc = ExtendCrc32c(crc, frame.bytes());
  }
  return crc;
}

uint64_t BodyBytes(std::span<const Buffer> body) {
  uint64_t bytes = 0;
  for (const Buffer& frame : body) {
    bytes += frame.size();
  }
  return bytes;
}

// Puts the header, whose counts and sums are taken from the frames that are there, into frame 0.
void Seal(FrameHeader header, Message& message) {
  const std::span<const Buffer> body = message.frames().subspan(1);
  header.frame_count = static_cast<uint8_t>(message.size());
  header.body_bytes = BodyBytes(body);
  header.body_crc32c = BodyCrc(body);
  EncodeHeader(header, std::span<std::byte, kFrameHeaderBytes>(message[0].mutable_data(),
                                                               kFrameHeaderBytes));
}

Status TooLarge(std::string_view what, uint64_t bytes, uint64_t limit) {
  std::string message(what);
  message +=
      " of " + std::to_string(bytes) + " bytes, at most " + std::to_string(limit) + " are allowed";
  return ResourceExhaustedError(std::move(message));
}

Status CheckLimits(uint64_t meta_bytes, uint64_t body_bytes) {
  if (meta_bytes > kMaxMetaBytes) {
    return TooLarge("message header", meta_bytes, kMaxMetaBytes);
  }
  if (body_bytes > kMaxBodyBytes) {
    return TooLarge("message body", body_bytes, kMaxBodyBytes);
  }
  return Status();
}

}  // namespace

void Message::Add(Buffer frame) {
  CHECK(count_ < kMaxFrames) << "a message has at most " << kMaxFrames << " frames";
  frames_[count_++] = std::move(frame);
}

void Message::Clear() {
  for (size_t i = 0; i < count_; ++i) {
    frames_[i] = Buffer();
  }
  count_ = 0;
}

void EncodeHeader(const FrameHeader& header, std::span<std::byte, kFrameHeaderBytes> out) {
  std::memset(out.data(), 0, out.size());
  Put(out, kMagicAt, kFrameMagic);
  Put(out, kVersionAt, kWireVersion);
  Put(out, kKindAt, static_cast<uint8_t>(header.kind));
  Put(out, kMethodAt, header.method);
  Put(out, kStatusAt, static_cast<uint16_t>(header.status));
  Put(out, kFrameCountAt, header.frame_count);
  Put(out, kBodyCrcAt, header.body_crc32c);
  Put(out, kRequestIdAt, header.request_id);
  Put(out, kSenderAt, header.sender);
  Put(out, kClusterIdAt, header.cluster_id);
  Put(out, kEpochAt, header.epoch);
  Put(out, kBodyBytesAt, header.body_bytes);
  Put(out, kHeaderCrcAt, Crc32c(out.first<kHeaderCrcAt>()));
}

StatusOr<FrameHeader> DecodeHeader(std::span<const std::byte> bytes) {
  if (bytes.size() != kFrameHeaderBytes) {
    return InvalidArgumentError("a header of " + std::to_string(bytes.size()) +
                                " bytes, expected " + std::to_string(kFrameHeaderBytes));
  }
  if (Get<uint32_t>(bytes, kMagicAt) != kFrameMagic) {
    return InvalidArgumentError("bad magic: the sender is not one of our peers");
  }
  if (const int version = Get<uint8_t>(bytes, kVersionAt); version != kWireVersion) {
    return UnimplementedError("wire version " + std::to_string(version) + ", this build speaks " +
                              std::to_string(kWireVersion) + ": run one release everywhere");
  }
  if (Get<uint32_t>(bytes, kHeaderCrcAt) != Crc32c(bytes.first(kHeaderCrcAt))) {
    return DataLossError("the header's checksum does not match");
  }
  const uint8_t kind = Get<uint8_t>(bytes, kKindAt);
  if (kind != static_cast<uint8_t>(FrameKind::kRequest) &&
      kind != static_cast<uint8_t>(FrameKind::kReply)) {
    return InvalidArgumentError("kind " + std::to_string(kind) +
                                " is neither a request nor a reply");
  }
  FrameHeader header;
  header.kind = static_cast<FrameKind>(kind);
  header.method = Get<uint16_t>(bytes, kMethodAt);
  header.status = StatusCodeFromInt(Get<uint16_t>(bytes, kStatusAt));
  header.frame_count = Get<uint8_t>(bytes, kFrameCountAt);
  header.request_id = Get<uint64_t>(bytes, kRequestIdAt);
  header.sender = Get<uint64_t>(bytes, kSenderAt);
  header.cluster_id = Get<uint64_t>(bytes, kClusterIdAt);
  header.epoch = Get<uint64_t>(bytes, kEpochAt);
  header.body_bytes = Get<uint64_t>(bytes, kBodyBytesAt);
  header.body_crc32c = Get<uint32_t>(bytes, kBodyCrcAt);
  return header;
}

StatusOr<Message> EncodeMessage(FrameHeader header, const google::protobuf::MessageLite* meta,
                                std::span<const Buffer> bulk, BufferPool& pool) {
  CHECK(bulk.size() + 2 <= kMaxFrames) << "a message has at most " << kMaxFrames << " frames";
  // ByteSizeLong keeps the sizes of the parts for the serialisation that follows.
  const size_t meta_bytes = meta == nullptr ? 0 : meta->ByteSizeLong();
  AP_RETURN_IF_ERROR(CheckLimits(meta_bytes, meta_bytes + BodyBytes(bulk)));
  Message message;
  message.Add(pool.Acquire(kFrameHeaderBytes));
  Buffer meta_frame = pool.Acquire(meta_bytes);
  if (meta != nullptr) {
    meta->SerializeWithCachedSizesToArray(reinterpret_cast<uint8_t*>(meta_frame.mutable_data()));
  }
  message.Add(std::move(meta_frame));
  for (const Buffer& frame : bulk) {
    message.Add(frame);
  }
  Seal(header, message);
  return message;
}

Message EncodeError(FrameHeader header, const Status& status, BufferPool& pool) {
  const std::string_view text = std::string_view(status.message()).substr(0, kMaxErrorBytes);
  header.kind = FrameKind::kReply;
  header.status = status.code();
  Message message;
  message.Add(pool.Acquire(kFrameHeaderBytes));
  Buffer text_frame = pool.Acquire(text.size());
  if (!text.empty()) {
    std::memcpy(text_frame.mutable_data(), text.data(), text.size());
  }
  message.Add(std::move(text_frame));
  Seal(header, message);
  return message;
}

StatusOr<FrameHeader> CheckMessage(const Message& message) {
  if (message.size() < 2) {
    return InvalidArgumentError("a message of " + std::to_string(message.size()) +
                                " frames, expected a header and a body");
  }
  AP_ASSIGN_OR_RETURN(const FrameHeader header, DecodeHeader(message[0].bytes()));
  if (header.frame_count != message.size()) {
    return DataLossError("the header announces " + std::to_string(header.frame_count) +
                         " frames, " + std::to_string(message.size()) + " came");
  }
  const std::span<const Buffer> body = message.frames().subspan(1);
  const uint64_t body_bytes = BodyBytes(body);
  if (header.body_bytes != body_bytes) {
    return DataLossError("the header announces " + std::to_string(header.body_bytes) + " bytes, " +
                         std::to_string(body_bytes) + " came");
  }
  AP_RETURN_IF_ERROR(CheckLimits(message[1].size(), body_bytes));
  if (header.body_crc32c != BodyCrc(body)) {
    return DataLossError("the body's checksum does not match");
  }
  return header;
}

Status ParseMeta(const Message& message, google::protobuf::MessageLite& meta) {
  const Buffer& frame = message[1];
  if (!meta.ParseFromArray(frame.data(), static_cast<int>(frame.size()))) {
    return InvalidArgumentError("frame 1 is not a " + meta.GetTypeName());
  }
  return Status();
}

Status ReplyStatus(const FrameHeader& header, const Message& message) {
  if (header.status == StatusCode::kOk) {
    return Status();
  }
  return Status(header.status, std::string(message[1].text()));
}

}  // namespace antiphon
