// ZmqTransport: endpoints that reach each other by TCP ("tcp://HOST:PORT", port 0 binds a free one)
// or, on one machine, by "ipc://PATH".
//
// An endpoint that listens has one ROUTER socket; each connection it makes is a DEALER of its own.
// What ZeroMQ does not take at once waits in a bounded queue per peer and is tried again with the
// next Send or Receive. ZeroMQ is at most once: a peer that dies takes along what it was sent, in
// silence. Any thread may open endpoints.
#pragma once

#include <memory>

#include "common/net/transport.h"
#include "common/net/zmq_socket.h"

namespace antiphon {

class ZmqTransport final : public Transport {
 public:
  static StatusOr<std::unique_ptr<ZmqTransport>> Create();

  StatusOr<std::unique_ptr<Endpoint>> Open(const EndpointOptions& options) override;

 private:
  explicit ZmqTransport(ZmqContext context) : context_(std::move(context)) {}

  ZmqContext context_;
};

}  // namespace antiphon
