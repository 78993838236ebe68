#include "common/net/zmq_socket.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <malloc.h>
#include <optional>
#include <zmq.h>

#include "common/base/text.h"

namespace antiphon {
namespace {

// Past this, ZeroMQ sends a frame from where it lies instead of collecting it in a batch.
constexpr size_t kCopyBelowBytes = 8192;

// Per frame; a peer that announces more is disconnected before anything is allocated.
constexpr int64_t kMaxFrameBytes = int64_t{64} << 20;

// Routing ids that ZeroMQ makes up are a zero byte and a number.
constexpr size_t kRoutingIdBytes = 5;

std::string ZmqReason() {
  return zmq_strerror(zmq_errno());
}

Status AddressError(std::string_view verb, const std::string& address) {
  const std::string message =
      std::string("cannot ") + std::string(verb) + " '" + address + "': " + ZmqReason();
  switch (zmq_errno()) {
    case EADDRINUSE:
      return AlreadyExistsError(message);
    case EACCES:
      return PermissionDeniedError(message);
    case EINVAL:
    case EPROTONOSUPPORT:
    case ENOCOMPATPROTO:
    case EADDRNOTAVAIL:
    case ENODEV:
      return InvalidArgumentError(message + "; expected tcp://HOST:PORT or ipc://PATH");
    default:
      return UnavailableError(message);
  }
}

// libzmq takes a port past 65535 for another one, so ports are checked here.
Status CheckAddress(const std::string& address) {
  if (!address.starts_with("tcp://")) {
    return address.starts_with("ipc://") && address.size() > 6
               ? Status()
               : InvalidArgumentError("'" + address +
                                      "' is not an address, expected "
                                      "tcp://HOST:PORT or ipc://PATH");
  }
  const size_t colon = address.rfind(':');
  const std::optional<uint64_t> port = ParseUint(std::string_view(address).substr(colon + 1));
  if (colon < 6 || !port.has_value() || *port > 65535) {
    return InvalidArgumentError("'" + address +
                                "' has no port, expected tcp://HOST:PORT with a "
                                "PORT from 0 to 65535");
  }
  return Status();
}

// A message part that is closed when it goes out of scope.
class Part {
 public:
  Part() { zmq_msg_init(&part_); }
  ~Part() { zmq_msg_close(&part_); }
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;

  zmq_msg_t* get() { return &part_; }
  size_t size() { return zmq_msg_size(&part_); }
  std::byte* data() { return static_cast<std::byte*>(zmq_msg_data(&part_)); }
  bool more() { return zmq_msg_more(&part_) != 0; }

 private:
  zmq_msg_t part_;
};

void ReleaseBuffer(void* /*data*/, void* hint) {
  delete static_cast<Buffer*>(hint);
}

void ReleasePart(void* hint) {
  delete static_cast<Part*>(hint);
}

// False when there is no memory.
bool SetPart(const Buffer& frame, Part& part) {
  if (frame.size() >= kCopyBelowBytes) {
    auto keeper = std::make_unique<Buffer>(frame);
    // ZeroMQ takes a pointer to bytes that it may write in theory; it never does when it sends.
    if (zmq_msg_init_data(part.get(), keeper->mutable_data(), keeper->size(), ReleaseBuffer,
                          keeper.get()) != 0) {
      return false;
    }
    static_cast<void>(keeper.release());  // ReleaseBuffer deletes it
    return true;
  }
  if (zmq_msg_init_size(part.get(), frame.size()) != 0) {
    return false;
  }
  if (frame.size() > 0) {
    std::memcpy(part.data(), frame.data(), frame.size());
  }
  return true;
}

Buffer TakePart(Part& part, BufferPool& pool) {
  const size_t size = part.size();
  std::byte* data = part.data();
  if (size >= kCopyBelowBytes && reinterpret_cast<uintptr_t>(data) % 8 == 0) {
    auto keeper = std::make_unique<Part>();
    zmq_msg_move(keeper->get(), part.get());  // cannot fail: both are messages
    data = keeper->data();
    return Buffer::Wrap(data, size, ReleasePart, keeper.release());
  }
  Buffer copy = pool.Acquire(size);
  if (size > 0) {
    std::memcpy(copy.mutable_data(), data, size);
  }
  return copy;
}

// libzmq takes fresh memory for each frame that comes in and gives it back when we are done. Left
// alone, malloc hands large pieces back to the kernel at once, and clearing the next ones costs
// more than a tenth of the time that the transport takes. It keeps them now, as our own pools do.
void KeepFreedMemory() {
  constexpr int kLargestPiece = 32 << 20;  // glibc takes no more
  constexpr int kKeptBytes = 512 << 20;
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nobody else sets it
  mallopt(M_MMAP_THRESHOLD, kLargestPiece);
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nobody else sets it
  mallopt(M_TRIM_THRESHOLD, kKeptBytes);
}

}  // namespace

StatusOr<ZmqContext> OpenZmqContext() {
  int major = 0;
  int minor = 0;
  int patch = 0;
  zmq_version(&major, &minor, &patch);
  if (major * 10000 + minor * 100 + patch < 40303) {
    return FailedPreconditionError("libzmq " + std::to_string(major) + "." + std::to_string(minor) +
                                   "." + std::to_string(patch) +
                                   " has known holes, expected 4.3.3 or later");
  }
  void* context = zmq_ctx_new();
  if (context == nullptr) {
    return ResourceExhaustedError("cannot start ZeroMQ: " + ZmqReason());
  }
  KeepFreedMemory();
  return ZmqContext(context, [](void* c) { zmq_ctx_term(c); });
}

StatusOr<ZmqSocket> ZmqSocket::Open(const ZmqContext& context, Type type) {
  void* handle = zmq_socket(context.get(), type == Type::kRouter ? ZMQ_ROUTER : ZMQ_DEALER);
  if (handle == nullptr) {
    return ResourceExhaustedError("cannot open a socket: " + ZmqReason());
  }
  ZmqSocket socket(context, type, handle);
  AP_RETURN_IF_ERROR(socket.SetOptions());
  return socket;
}

ZmqSocket::~ZmqSocket() {
  if (handle_ != nullptr) {
    zmq_close(handle_);
  }
}

// Why each of them: docs/wire.md, "The transport". A routing id is never set: a second peer with
// the same one would be mute, or take over the first one's replies.
Status ZmqSocket::SetOptions() {
  struct Option {
    int name;
    int value;
  };
  constexpr std::array<Option, 13> kOptions = {{
      {ZMQ_SNDHWM, 64},
      {ZMQ_RCVHWM, 64},
      {ZMQ_LINGER, 1000},
      {ZMQ_SNDTIMEO, 1000},
      {ZMQ_RCVTIMEO, 1000},
      {ZMQ_IMMEDIATE, 1},
      {ZMQ_HEARTBEAT_IVL, 1000},
      {ZMQ_HEARTBEAT_TIMEOUT, 3000},
      {ZMQ_HEARTBEAT_TTL, 3000},
      {ZMQ_HANDSHAKE_IVL, 5000},
      {ZMQ_RECONNECT_IVL, 50},
      {ZMQ_RECONNECT_IVL_MAX, 2000},
      {ZMQ_BACKLOG, 1024},
  }};
  int failed = 0;
  for (const Option& option : kOptions) {
    failed |= zmq_setsockopt(handle_, option.name, &option.value, sizeof(option.value));
  }
  failed |= zmq_setsockopt(handle_, ZMQ_MAXMSGSIZE, &kMaxFrameBytes, sizeof(kMaxFrameBytes));
  if (type_ == Type::kRouter) {
    const int on = 1;
    failed |= zmq_setsockopt(handle_, ZMQ_ROUTER_MANDATORY, &on, sizeof(on));
  }
  if (failed != 0) {
    return InternalError("this libzmq refuses a socket option: " + ZmqReason());
  }
  return Status();
}

Status ZmqSocket::Bind(const std::string& address) {
  AP_RETURN_IF_ERROR(CheckAddress(address));
  if (zmq_bind(handle_, address.c_str()) != 0) {
    return AddressError("listen at", address);
  }
  return Status();
}

Status ZmqSocket::Connect(const std::string& address) {
  AP_RETURN_IF_ERROR(CheckAddress(address));
  if (zmq_connect(handle_, address.c_str()) != 0) {
    return AddressError("connect to", address);
  }
  return Status();
}

StatusOr<std::string> ZmqSocket::BoundAddress() const {
  std::array<char, 512> address{};
  size_t size = address.size();
  if (zmq_getsockopt(handle_, ZMQ_LAST_ENDPOINT, address.data(), &size) != 0) {
    return InternalError("cannot tell the bound address: " + ZmqReason());
  }
  return std::string(address.data());
}

void ZmqSocket::DropOnClose() {
  const int none = 0;
  zmq_setsockopt(handle_, ZMQ_LINGER, &none, sizeof(none));
}

ZmqSocket::SendResult ZmqSocket::Send(RoutingId to, const Message& message) {
  if (type_ == Type::kRouter &&
      zmq_send(handle_, &to, kRoutingIdBytes, ZMQ_DONTWAIT | ZMQ_SNDMORE) == -1) {
    return zmq_errno() == EHOSTUNREACH ? SendResult::kUnreachable : SendResult::kFull;
  }
  SendResult result = SendResult::kSent;
  for (size_t i = 0; i < message.size(); ++i) {
    const int flags = ZMQ_DONTWAIT | (i + 1 < message.size() ? ZMQ_SNDMORE : 0);
    Part part;
    if (!SetPart(message[i], part) || zmq_msg_send(part.get(), handle_, flags) == -1) {
      if (i == 0 && type_ == Type::kDealer) {
        return SendResult::kFull;
      }
      // The connection broke between two parts. ZeroMQ has taken back those before; the rest must
      // follow, or it would take the next message for it.
      result = SendResult::kFull;
    }
  }
  return result;
}

ZmqSocket::ReceiveResult ZmqSocket::Receive(BufferPool& pool, RoutingId* from, Message* message) {
  bool valid = true;
  if (type_ == Type::kRouter) {
    Part id;
    if (zmq_msg_recv(id.get(), handle_, ZMQ_DONTWAIT) == -1) {
      return ReceiveResult::kNothing;
    }
    // Our peers never choose a routing id. Another size is a stranger's, and so is a lone id.
    valid = id.size() == kRoutingIdBytes && id.more();
    *from = 0;
    if (valid) {
      std::memcpy(from, id.data(), kRoutingIdBytes);
    }
    if (!id.more()) {
      return ReceiveResult::kDropped;
    }
  }
  message->Clear();
  while (true) {
    Part part;
    if (zmq_msg_recv(part.get(), handle_, ZMQ_DONTWAIT) == -1) {
      // Before the first part there is none; after it, the message was cut short.
      return type_ == Type::kDealer && message->size() == 0 && valid ? ReceiveResult::kNothing
                                                                     : ReceiveResult::kDropped;
    }
    const bool more = part.more();
    valid = valid && message->size() < kMaxFrames;
    if (valid) {
      message->Add(TakePart(part, pool));
    }
    if (!more) {
      break;
    }
  }
  if (!valid) {
    message->Clear();
    return ReceiveResult::kDropped;
  }
  return ReceiveResult::kMessage;
}

}  // namespace antiphon
