// ZmqSocket: one ZeroMQ socket with our options, and messages in and out of it.
//
// The only place, with zmq_transport, that knows ZeroMQ. It uses the C interface, which throws
// nothing. Owned by one thread. Nothing here blocks.
//
// A frame that is not copied costs a few small allocations on its way: what keeps its bytes alive,
// ours and ZeroMQ's. ZeroMQ also takes the memory of each frame that comes in. Nothing else of a
// message is allocated here.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "common/base/status.h"
#include "common/wire/buffer.h"
#include "common/wire/frame.h"

namespace antiphon {

// A ZeroMQ context with its I/O thread, shared by a transport and its endpoints; the last one ends
// it, which waits for what still lingers in closed sockets.
using ZmqContext = std::shared_ptr<void>;
StatusOr<ZmqContext> OpenZmqContext();

// The name that a ROUTER gave to a connection.
using RoutingId = uint64_t;

class ZmqSocket {
 public:
  enum class Type { kRouter, kDealer };
  enum class SendResult {
    kSent,
    kFull,         // later, perhaps
    kUnreachable,  // only of a router: the connection is gone
  };
  enum class ReceiveResult {
    kMessage,
    kNothing,
    kDropped,  // a message broke a limit
  };

  static StatusOr<ZmqSocket> Open(const ZmqContext& context, Type type);
  ZmqSocket(ZmqSocket&& other) noexcept
      : context_(std::move(other.context_)),
        type_(other.type_),
        handle_(std::exchange(other.handle_, nullptr)) {}
  ZmqSocket& operator=(ZmqSocket&&) = delete;
  ~ZmqSocket();

  // kAlreadyExists when the address is taken, kInvalidArgument when it is none.
  Status Bind(const std::string& address);
  Status Connect(const std::string& address);
  // The bound address with its port.
  StatusOr<std::string> BoundAddress() const;

  // From now on, closing it drops what is queued instead of sending it for a while.
  void DropOnClose();

  // `to` is ignored by a dealer. Large frames are not copied: their bytes are kept until sent.
  SendResult Send(RoutingId to, const Message& message);
  // Only of kMessage: `message` is what came, from `*from` (of a router). Large frames are not
  // copied. All frames are aligned for 8-byte values.
  ReceiveResult Receive(BufferPool& pool, RoutingId* from, Message* message);

  void* handle() const { return handle_; }

 private:
  ZmqSocket(ZmqContext context, Type type, void* handle)
      : context_(std::move(context)), type_(type), handle_(handle) {}
  Status SetOptions();

  ZmqContext context_;
  Type type_;
  void* handle_;
};

}  // namespace antiphon
