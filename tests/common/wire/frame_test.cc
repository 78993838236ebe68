#include "common/wire/frame.h"

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/crc32c.h"
#include "proto/cluster.pb.h"

namespace antiphon {
namespace {

using ::testing::HasSubstr;

FrameHeader SomeHeader() {
  FrameHeader header;
  header.method = METHOD_PULL;
  header.request_id = 0x0102030405060708;
  header.sender = 0x1112131415161718;
  header.cluster_id = 0x2122232425262728;
  header.epoch = 0x3132333435363738;
  return header;
}

PullRequest SomePull() {
  PullRequest meta;
  meta.set_step(7);
  meta.set_tick(6);
  TableSlice* slice = meta.add_tables();
  slice->set_table(1);
  slice->set_count(3);
  return meta;
}

class FrameTest : public ::testing::Test {
 protected:
  Message Encode(const FrameHeader& header, const PullRequest& meta,
                 const std::vector<Buffer>& bulk) {
    StatusOr<Message> message = EncodeMessage(header, &meta, bulk, pool_);
    CHECK(message.ok()) << message.status();
    return *std::move(message);
  }

  // A message of our own whose header was changed after it was sealed, with a valid checksum.
  static void Reseal(Message& message, size_t at, uint8_t value) {
    std::byte* header = message[0].mutable_data();
    header[at] = std::byte{value};
    const uint32_t crc = Crc32c({header, kFrameHeaderBytes - 4});
    std::memcpy(header + kFrameHeaderBytes - 4, &crc, sizeof(crc));
  }

  static StatusCode Check(const Message& message) { return CheckMessage(message).status().code(); }

  BufferPool pool_;
};

TEST_F(FrameTest, ComesBackAsItWasSent) {
  const std::vector<Buffer> bulk = {Buffer::Copy("keys"), Buffer(), Buffer::Copy("values")};
  const Message message = Encode(SomeHeader(), SomePull(), bulk);

  const StatusOr<FrameHeader> header = CheckMessage(message);
  PullRequest meta;

  ASSERT_TRUE(header.ok()) << header.status();
  EXPECT_EQ(header->method, METHOD_PULL);
  EXPECT_EQ(header->request_id, SomeHeader().request_id);
  EXPECT_EQ(header->sender, SomeHeader().sender);
  EXPECT_EQ(header->cluster_id, SomeHeader().cluster_id);
  EXPECT_EQ(header->epoch, SomeHeader().epoch);
  EXPECT_EQ(header->frame_count, 5);
  ASSERT_TRUE(ParseMeta(message, meta).ok());
  EXPECT_EQ(meta.SerializeAsString(), SomePull().SerializeAsString());
  ASSERT_EQ(message.bulk().size(), 3u);
  EXPECT_EQ(message.bulk()[0].data(), bulk[0].data()) << "bulk frames are not copied";
  EXPECT_EQ(message.bulk()[2].text(), "values");
}

TEST_F(FrameTest, HasABodyEvenWithoutAMeta) {
  const StatusOr<Message> message = EncodeMessage(SomeHeader(), nullptr, {}, pool_);

  ASSERT_TRUE(message.ok());
  EXPECT_EQ(message->size(), 2u);
  EXPECT_TRUE(CheckMessage(*message).ok());
}

TEST_F(FrameTest, CarriesAnErrorWithItsText) {
  const Message message = EncodeError(SomeHeader(), StaleEpochError("lease 3 is over"), pool_);

  const StatusOr<FrameHeader> header = CheckMessage(message);

  ASSERT_TRUE(header.ok());
  EXPECT_EQ(header->kind, FrameKind::kReply);
  EXPECT_EQ(ReplyStatus(*header, message), StaleEpochError("lease 3 is over"));
}

TEST_F(FrameTest, CutsAnErrorTextThatIsTooLong) {
  const Message message =
      EncodeError(SomeHeader(), InternalError(std::string(kMaxMetaBytes + 1, 'x')), pool_);

  const StatusOr<FrameHeader> header = CheckMessage(message);

  ASSERT_TRUE(header.ok());
  EXPECT_EQ(ReplyStatus(*header, message).message(), std::string(4096, 'x'));
}

TEST_F(FrameTest, RefusesEveryFlippedByte) {
  Message message =
      Encode(SomeHeader(), SomePull(), {Buffer::Copy("some bulk"), Buffer::Copy("x")});

  for (size_t frame = 0; frame < message.size(); ++frame) {
    for (size_t i = 0; i < message[frame].size(); ++i) {
      for (const int mask : {0x01, 0x80, 0xff}) {
        message[frame].mutable_data()[i] ^= static_cast<std::byte>(mask);
        EXPECT_FALSE(CheckMessage(message).ok()) << "frame " << frame << " byte " << i;
        message[frame].mutable_data()[i] ^= static_cast<std::byte>(mask);
      }
    }
  }
  EXPECT_TRUE(CheckMessage(message).ok());
}

TEST_F(FrameTest, NoticesBytesThatMovedToTheNextFrame) {
  const Message sent = Encode(SomeHeader(), SomePull(), {Buffer::Copy("ab"), Buffer::Copy("c")});
  Message moved;
  moved.Add(sent[0]);
  moved.Add(sent[1]);
  moved.Add(Buffer::Copy("a"));
  moved.Add(Buffer::Copy("bc"));

  EXPECT_EQ(Check(moved), StatusCode::kDataLoss);
}

TEST_F(FrameTest, NoticesMissingAndAddedFrames) {
  const Message sent = Encode(SomeHeader(), SomePull(), {Buffer::Copy("ab")});
  Message less;
  less.Add(sent[0]);
  EXPECT_EQ(Check(less), StatusCode::kInvalidArgument);
  less.Add(sent[1]);
  EXPECT_EQ(Check(less), StatusCode::kDataLoss);
  Message more = sent;
  more.Add(Buffer());
  EXPECT_EQ(Check(more), StatusCode::kDataLoss);
  EXPECT_EQ(Check(Message()), StatusCode::kInvalidArgument);
}

TEST_F(FrameTest, RefusesAHeaderOfAnotherSize) {
  const std::vector<std::byte> bytes(kFrameHeaderBytes + 1);
  for (size_t size = 0; size <= bytes.size(); ++size) {
    EXPECT_EQ(DecodeHeader(std::span(bytes).first(size)).status().code(),
              StatusCode::kInvalidArgument);
  }
}

TEST_F(FrameTest, TellsStrangersFromOtherVersions) {
  Message message = Encode(SomeHeader(), SomePull(), {});

  Reseal(message, 4, kWireVersion + 1);
  EXPECT_EQ(Check(message), StatusCode::kUnimplemented);
  EXPECT_THAT(CheckMessage(message).status().message(), HasSubstr("version 2"));
  Reseal(message, 4, kWireVersion);
  Reseal(message, 0, 'B');
  EXPECT_EQ(Check(message), StatusCode::kInvalidArgument);
}

TEST_F(FrameTest, RefusesAnUnknownKindAndBoundsAnUnknownStatus) {
  Message message = Encode(SomeHeader(), SomePull(), {});

  Reseal(message, 5, 3);
  EXPECT_EQ(Check(message), StatusCode::kInvalidArgument);
  Reseal(message, 5, 2);
  Reseal(message, 8, 200);
  ASSERT_TRUE(CheckMessage(message).ok());
  EXPECT_EQ(CheckMessage(message)->status, StatusCode::kInternal);
}

TEST_F(FrameTest, DoesNotSendWhatAPeerWouldRefuse) {
  PullReply meta;
  meta.set_chunk_bits(std::string(kMaxMetaBytes, 'x'));
  EXPECT_EQ(EncodeMessage(SomeHeader(), &meta, {}, pool_).status().code(),
            StatusCode::kResourceExhausted);

  // The pages are never touched.
  const std::vector<Buffer> bulk = {Buffer::Allocate(kMaxBodyBytes), Buffer::Allocate(1)};
  EXPECT_EQ(EncodeMessage(SomeHeader(), nullptr, bulk, pool_).status().code(),
            StatusCode::kResourceExhausted);
}

TEST_F(FrameTest, RefusesAMetaPastTheLimitBeforeItIsSummed) {
  Message message = Encode(SomeHeader(), SomePull(), {});
  message[1] = Buffer::Allocate(kMaxMetaBytes + 1);
  const uint64_t body_bytes = kMaxMetaBytes + 1;
  for (size_t i = 0; i < 8; ++i) {
    Reseal(message, 48 + i, static_cast<uint8_t>(body_bytes >> (8 * i)));
  }

  EXPECT_EQ(Check(message), StatusCode::kResourceExhausted);
}

TEST_F(FrameTest, SaysWhichMessageItCouldNotParse) {
  Message message;
  message.Add(Buffer());
  message.Add(Buffer::Copy("\xff\xff\xff"));
  PullRequest meta;

  const Status status = ParseMeta(message, meta);

  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("antiphon.PullRequest"));
}

// The frames of one message, each after its size as a 32-bit number. The file is never changed:
// a build that reads it speaks with the builds before it.
TEST_F(FrameTest, SpeaksTheFirstVersionOfTheWire) {
  const Message message =
      Encode(SomeHeader(), SomePull(), {Buffer::Copy("abcdefgh"), Buffer::Copy("1234")});
  std::string bytes;
  for (const Buffer& frame : message.frames()) {
    const uint32_t size = static_cast<uint32_t>(frame.size());
    bytes.append(reinterpret_cast<const char*>(&size), sizeof(size));
    bytes.append(frame.text());
  }
  const std::string path = std::string(ANTIPHON_SOURCE_DIR) + "/tests/golden/frame_v1.bin";
  std::ifstream file(path, std::ios::binary);
  const std::string golden{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};

  ASSERT_FALSE(golden.empty()) << path;
  EXPECT_EQ(bytes, golden);
}

}  // namespace
}  // namespace antiphon
