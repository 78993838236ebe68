#include "common/net/zmq_transport.h"

#include <arpa/inet.h>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <memory>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>
#include <zmq.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/rng.h"
#include "common/base/thread.h"
#include "common/net/rpc.h"

namespace antiphon {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kAnyPort[] = "tcp://127.0.0.1:0";

Message Text(std::string_view text) {
  Message message;
  message.Add(Buffer::Copy(text));
  return message;
}

class ZmqTransportTest : public ::testing::Test {
 protected:
  ZmqTransportTest() : transport_(*ZmqTransport::Create()) {}

  std::unique_ptr<Endpoint> Open(const std::string& name, const std::string& address = "") {
    StatusOr<std::unique_ptr<Endpoint>> endpoint =
        transport_->Open({.name = name, .listen_address = address});
    CHECK(endpoint.ok()) << endpoint.status();
    return *std::move(endpoint);
  }

  std::unique_ptr<ZmqTransport> transport_;
};

TEST_F(ZmqTransportTest, BindsAFreePortAndTellsIt) {
  const auto server = Open("server", kAnyPort);

  EXPECT_THAT(server->address(), StartsWith("tcp://127.0.0.1:"));
  EXPECT_NE(server->address(), kAnyPort);
  EXPECT_EQ(Open("client")->address(), "");
}

TEST_F(ZmqTransportTest, CarriesMessagesThereAndBack) {
  const auto server = Open("server", kAnyPort);
  const auto client = Open("client");
  const PeerId peer = *client->Connect(server->address());
  ASSERT_TRUE(client->Send(peer, Text("question")).ok());
  client->Receive(1ms);  // what waits for the connection goes out with the next Send or Receive

  std::optional<Incoming> asked;
  for (int i = 0; i < 1000 && !asked.has_value(); ++i) {
    asked = server->Receive(10ms);
    client->Receive(0ns);
  }
  ASSERT_TRUE(asked.has_value());
  EXPECT_EQ(asked->message[0].text(), "question");
  ASSERT_TRUE(server->Send(asked->from, Text("answer")).ok());
  const std::optional<Incoming> answered = client->Receive(10s);

  ASSERT_TRUE(answered.has_value());
  EXPECT_EQ(answered->from, peer);
  EXPECT_EQ(answered->message[0].text(), "answer");
}

TEST_F(ZmqTransportTest, NamesAnAddressThatIsTakenOrNone) {
  const auto server = Open("server", kAnyPort);

  const Status taken =
      transport_->Open({.name = "second", .listen_address = server->address()}).status();
  EXPECT_EQ(taken.code(), StatusCode::kAlreadyExists);
  EXPECT_THAT(taken.message(), HasSubstr(server->address()));
  for (const char* address : {"nonsense", "tcp://", "udp://127.0.0.1:5", "tcp://127.0.0.1:99999"}) {
    const Status bad = transport_->Open({.name = "bad", .listen_address = address}).status();
    EXPECT_EQ(bad.code(), StatusCode::kInvalidArgument) << bad;
    EXPECT_FALSE(Open("client")->Connect(address).ok()) << address;
  }
}

TEST_F(ZmqTransportTest, RefusesMoreThanTheQueueOfAnAbsentPeerHolds) {
  const auto client =
      *transport_->Open({.name = "client", .listen_address = "", .max_queued_messages = 3});
  const PeerId peer = *client->Connect("tcp://127.0.0.1:1");

  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(client->Send(peer, Text("x")).ok());
  }
  const Status full = client->Send(peer, Text("x"));

  EXPECT_EQ(full.code(), StatusCode::kResourceExhausted);
  EXPECT_THAT(full.message(), HasSubstr("tcp://127.0.0.1:1"));
}

TEST_F(ZmqTransportTest, FindsAPeerThatStartsLater) {
  std::string address;
  {
    // A transport of its own, whose end waits until the port is free again.
    const std::unique_ptr<ZmqTransport> probe = *ZmqTransport::Create();
    address = (*probe->Open({.name = "probe", .listen_address = kAnyPort}))->address();
  }
  const auto client = Open("client");
  const PeerId peer = *client->Connect(address);
  ASSERT_TRUE(client->Send(peer, Text("early")).ok());
  const auto server = Open("server", address);

  std::optional<Incoming> incoming;
  for (int i = 0; i < 1000 && !incoming.has_value(); ++i) {
    client->Receive(5ms);
    incoming = server->Receive(5ms);
  }

  ASSERT_TRUE(incoming.has_value());
  EXPECT_EQ(incoming->message[0].text(), "early");
}

TEST_F(ZmqTransportTest, TellsAListenerThatItsPeerHasGone) {
  const auto server = Open("server", kAnyPort);
  auto client = Open("client");
  ASSERT_TRUE(client->Send(*client->Connect(server->address()), Text("x")).ok());
  client->Receive(1ms);
  std::optional<Incoming> incoming;
  for (int i = 0; i < 1000 && !incoming.has_value(); ++i) {
    incoming = server->Receive(5ms);
    client->Receive(0ns);
  }
  ASSERT_TRUE(incoming.has_value());
  client.reset();

  Status status;
  for (int i = 0; i < 2000 && status.ok(); ++i) {
    status = server->Send(incoming->from, Text("y"));
    server->Receive(5ms);
  }

  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_EQ(server->Send(incoming->from, Text("y")).code(), StatusCode::kNotFound);
}

TEST_F(ZmqTransportTest, KnowsOnlyItsPeers) {
  const auto client = Open("client");
  const PeerId peer = *client->Connect("tcp://127.0.0.1:1");

  client->Disconnect(peer);
  client->Disconnect(peer);

  EXPECT_EQ(client->Send(peer, Text("x")).code(), StatusCode::kNotFound);
}

TEST_F(ZmqTransportTest, WakesAReceiveThatWaits) {
  const auto endpoint = Open("sleeper", kAnyPort);
  const Thread waker("waker", [waker = endpoint->waker()] { waker->Wake(); });

  EXPECT_FALSE(endpoint->Receive(1h).has_value());
}

TEST_F(ZmqTransportTest, LetsAWakerOutliveItsEndpoint) {
  std::shared_ptr<Waker> waker = Open("short", kAnyPort)->waker();

  waker->Wake();
}

// --- with calls on top ---------------------------------------------------------------------------

class Echo final : public RequestHandler {
 public:
  void OnRequest(Request& request) override {
    node_->Reply(RpcNode::AddressOf(request), EchoReply(), request.message.bulk());
  }
  RpcNode* node_ = nullptr;
};

// An echo server on a thread of its own.
class EchoServer {
 public:
  explicit EchoServer(std::unique_ptr<Endpoint> endpoint)
      : endpoint_(std::move(endpoint)), node_(*endpoint_, clock_, {.incarnation = 1}, &echo_) {
    echo_.node_ = &node_;
    thread_ = Thread("echo", [this] {
      while (!stop_.load()) {
        node_.Poll(1s);
        bad_frames_total_.store(node_.bad_frames_total());
      }
    });
  }
  ~EchoServer() {
    stop_.store(true);
    endpoint_->waker()->Wake();
    thread_.Join();
  }

  const std::string& address() const { return endpoint_->address(); }
  uint64_t bad_frames_total() const { return bad_frames_total_.load(); }

 private:
  SystemClock clock_;
  std::unique_ptr<Endpoint> endpoint_;
  Echo echo_;
  RpcNode node_;
  std::atomic<bool> stop_ = false;
  std::atomic<uint64_t> bad_frames_total_ = 0;
  Thread thread_;
};

class EchoClient final : public ReplyHandler {
 public:
  EchoClient(std::unique_ptr<Endpoint> endpoint, const std::string& server)
      : endpoint_(std::move(endpoint)), node_(*endpoint_, clock_, {.incarnation = 2}, nullptr) {
    peer_ = *endpoint_->Connect(server);
  }

  // Sends `bulk` and waits for the end of the call.
  Status Call(std::span<const Buffer> bulk, Duration deadline = 20s) {
    done_ = false;
    node_.Call(peer_, METHOD_ECHO, EchoRequest(), bulk, {.deadline = deadline}, *this);
    while (!done_) {
      node_.Poll(1s);
    }
    return status_;
  }
  const Message& reply() const { return reply_; }

  void OnReply(CallId /*call*/, const Status& status, const Message& reply) override {
    done_ = true;
    status_ = status;
    reply_ = reply;
  }

 private:
  SystemClock clock_;
  std::unique_ptr<Endpoint> endpoint_;
  RpcNode node_;
  PeerId peer_ = 0;
  bool done_ = false;
  Status status_;
  Message reply_;
};

Buffer RandomBytes(Rng& rng, size_t size) {
  Buffer buffer = Buffer::Allocate(size);
  for (size_t i = 0; i < size; ++i) {
    buffer.mutable_data()[i] = static_cast<std::byte>(rng.Next());
  }
  return buffer;
}

TEST_F(ZmqTransportTest, EchoesFramesOfEverySizeAligned) {
  EchoServer server(Open("server", kAnyPort));
  EchoClient client(Open("client"), server.address());
  Rng rng(7);

  for (const size_t size : {0, 1, 7, 100, 4095, 8191, 8192, 8193, 100'003, 1 << 20, 32 << 20}) {
    const std::vector<Buffer> sent = {RandomBytes(rng, size), RandomBytes(rng, 3),
                                      RandomBytes(rng, size / 2)};
    ASSERT_EQ(client.Call(sent), Status()) << size;

    ASSERT_EQ(client.reply().bulk().size(), sent.size());
    for (size_t i = 0; i < sent.size(); ++i) {
      const Buffer& back = client.reply().bulk()[i];
      EXPECT_TRUE(back.text() == sent[i].text()) << size << " frame " << i;
      EXPECT_EQ(reinterpret_cast<uintptr_t>(back.data()) % 8, 0u) << size << " frame " << i;
    }
  }
}

TEST_F(ZmqTransportTest, EndsACallToAPeerThatDied) {
  auto server = std::make_unique<EchoServer>(Open("server", kAnyPort));
  EchoClient client(Open("client"), server->address());
  ASSERT_TRUE(client.Call({}).ok());

  server.reset();

  EXPECT_EQ(client.Call({}, 200ms).code(), StatusCode::kDeadlineExceeded);
}

// Growth that is no leak: queues, pools, what malloc keeps. A sanitizer keeps freed memory for
// long.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr uint64_t kSteadyBytes = uint64_t{1} << 30;
#else
constexpr uint64_t kSteadyBytes = uint64_t{64} << 20;
#endif

uint64_t ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  uint64_t total = 0;
  uint64_t resident = 0;
  statm >> total >> resident;
  return resident * 4096;
}

Message Garbage(Rng& rng) {
  Message message;
  const uint64_t frames = 1 + rng.Below(kMaxFrames);
  for (uint64_t i = 0; i < frames; ++i) {
    message.Add(RandomBytes(rng, rng.Below(rng.Chance(0.1) ? 20'000 : 100)));
  }
  if (rng.Chance(0.5)) {  // one that gets further
    FrameHeader header;
    header.frame_count = static_cast<uint8_t>(rng.Below(4));
    header.body_bytes = rng.Next() >> rng.Below(64);
    message[0] = Buffer::Allocate(kFrameHeaderBytes);
    EncodeHeader(header, std::span<std::byte, kFrameHeaderBytes>(message[0].mutable_data(),
                                                                 kFrameHeaderBytes));
  }
  return message;
}

TEST_F(ZmqTransportTest, SurvivesTwentyThousandGarbageMessages) {
  constexpr int kMessages = 20'000;
  EchoServer server(Open("server", kAnyPort));
  EchoClient good(Open("good"), server.address());
  ASSERT_TRUE(good.Call({}).ok());
  const uint64_t before = ResidentBytes();
  const auto bad = Open("bad");
  const PeerId peer = *bad->Connect(server.address());
  Rng rng(11);

  for (int sent = 0; sent < kMessages;) {
    const Status status = bad->Send(peer, Garbage(rng));
    if (status.ok()) {
      ++sent;
    } else {
      ASSERT_EQ(status.code(), StatusCode::kResourceExhausted) << status;
      bad->Receive(1ms);
    }
  }

  EXPECT_TRUE(good.Call({}).ok());
  EXPECT_LT(ResidentBytes(), before + 2 * kSteadyBytes);
  EXPECT_GT(server.bad_frames_total(), uint64_t{kMessages} / 2);
}

TEST_F(ZmqTransportTest, DropsMessagesWithTooManyFramesAndStrangeNames) {
  EchoServer server(Open("server", kAnyPort));
  EchoClient good(Open("good"), server.address());
  ASSERT_TRUE(good.Call({}).ok());
  const std::unique_ptr<void, int (*)(void*)> context(zmq_ctx_new(), zmq_ctx_term);
  const std::unique_ptr<void, int (*)(void*)> many(zmq_socket(context.get(), ZMQ_DEALER),
                                                   zmq_close);
  const std::unique_ptr<void, int (*)(void*)> named(zmq_socket(context.get(), ZMQ_DEALER),
                                                    zmq_close);
  zmq_setsockopt(named.get(), ZMQ_ROUTING_ID, "mallory", 7);
  ASSERT_EQ(zmq_connect(many.get(), server.address().c_str()), 0);
  ASSERT_EQ(zmq_connect(named.get(), server.address().c_str()), 0);

  for (int i = 0; i < 100; ++i) {
    zmq_send(many.get(), "x", 1, i < 99 ? ZMQ_SNDMORE : 0);
  }
  zmq_send(named.get(), "hello", 5, 0);
  for (int i = 0; i < 20'000 && server.bad_frames_total() < 2; ++i) {
    ASSERT_TRUE(good.Call({}).ok());
  }

  EXPECT_EQ(server.bad_frames_total(), 2u);
}

// Connects a plain TCP socket and sends `bytes`; the listener may hang up whenever it likes.
void SendRaw(const std::string& address, std::string_view bytes) {
  const int port = std::stoi(address.substr(address.rfind(':') + 1));
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(port));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  CHECK(::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof(to)) == 0);
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) {
      break;
    }
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  ::close(fd);
}

TEST_F(ZmqTransportTest, SurvivesRawBytesOnItsPort) {
  EchoServer server(Open("server", kAnyPort));
  EchoClient good(Open("good"), server.address());
  const uint64_t before = ResidentBytes();
  // The greeting and the READY command of ZMTP 3, so that what follows is read as frames.
  std::string greeting = std::string("\xff\0\0\0\0\0\0\0\0\x7f\x03\0NULL", 16);
  greeting.resize(64, '\0');
  const std::string ready = std::string(
      "\x04\x19\x05READY\x0bSocket-Type\0\0\0\x06"
      "DEALER",
      29);
  const std::string huge = std::string("\x02\0\0\0\x02\0\0\0\0", 9) + std::string(1000, 'x');
  Rng rng(13);

  for (int i = 0; i < 50; ++i) {
    SendRaw(server.address(), "");
    SendRaw(server.address(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    SendRaw(server.address(), RandomBytes(rng, rng.Below(5000)).text());
    SendRaw(server.address(), greeting);
    SendRaw(server.address(), greeting + ready);
    SendRaw(server.address(), greeting + ready + huge);
    SendRaw(server.address(), greeting + std::string(RandomBytes(rng, rng.Below(5000)).text()));
    EXPECT_TRUE(good.Call({}).ok());
  }

  EXPECT_TRUE(good.Call({}).ok());
  EXPECT_LT(ResidentBytes(), before + kSteadyBytes);
}

}  // namespace
}  // namespace antiphon
