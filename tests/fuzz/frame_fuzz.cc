// What a peer sends: the header, the limits and the checksums, and every schema of the wire. The
// input is a message as in tests/golden/frame_v1.bin: frames, each after its size in 32 bits.

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>

#include <google/protobuf/message.h>

#include "common/base/crc32c.h"
#include "common/base/logging.h"
#include "common/wire/frame.h"
#include "proto/cluster.pb.h"
#include "proto/metrics.pb.h"
#include "proto/plan.pb.h"

namespace antiphon {
namespace {

Message ReadFrames(std::span<const uint8_t> input) {
  Message message;
  while (input.size() >= sizeof(uint32_t) && message.size() < kMaxFrames) {
    uint32_t size = 0;
    std::memcpy(&size, input.data(), sizeof(size));
    input = input.subspan(sizeof(size));
    const size_t taken = std::min<size_t>(size, input.size());
    message.Add(Buffer::Copy(std::as_bytes(input.first(taken))));
    input = input.subspan(taken);
  }
  return message;
}

// A header that is accepted means the same when it is written again.
void CheckHeader(std::span<const std::byte> bytes) {
  const StatusOr<FrameHeader> header = DecodeHeader(bytes);
  if (!header.ok()) {
    return;
  }
  std::array<std::byte, kFrameHeaderBytes> again;
  EncodeHeader(*header, again);
  const StatusOr<FrameHeader> decoded = DecodeHeader(again);
  CHECK(decoded.ok()) << decoded.status();
  CHECK(*decoded == *header);
}

// Every message of a schema is offered the same bytes.
void ParseAsEach(const google::protobuf::FileDescriptor& schema, const Message& message) {
  for (int i = 0; i < schema.message_type_count(); ++i) {
    const google::protobuf::Message* prototype =
        google::protobuf::MessageFactory::generated_factory()->GetPrototype(schema.message_type(i));
    const std::unique_ptr<google::protobuf::Message> meta(prototype->New());
    if (ParseMeta(message, *meta).ok()) {
      CHECK(meta->ByteSizeLong() <= kMaxMetaBytes * 16) << meta->GetTypeName();
    }
  }
}

void Try(Message message) {
  if (const StatusOr<FrameHeader> header = CheckMessage(message); header.ok()) {
    ReplyStatus(*header, message).IgnoreError();
  }
  if (message.size() < 2) {
    return;
  }
  CheckHeader(message[0].bytes());
  if (message[0].size() == kFrameHeaderBytes) {
    // With a checksum that matches, the checks behind it are reached too.
    const uint32_t crc = Crc32c(message[0].bytes().first<kFrameHeaderBytes - sizeof(uint32_t)>());
    std::memcpy(message[0].mutable_data() + kFrameHeaderBytes - sizeof(crc), &crc, sizeof(crc));
    CheckHeader(message[0].bytes());
    CheckMessage(message).status().IgnoreError();
  }
  if (message[1].size() <= kMaxMetaBytes) {
    ParseAsEach(*ClusterView::descriptor()->file(), message);
    ParseAsEach(*MetricsDelta::descriptor()->file(), message);
    ParseAsEach(*TrainingPlan::descriptor()->file(), message);
  }
}

}  // namespace
}  // namespace antiphon

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  antiphon::Try(antiphon::ReadFrames({data, size}));
  return 0;
}
