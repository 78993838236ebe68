// ZmqEndpoint: the Endpoint of ZmqTransport: a ROUTER for those who come, a DEALER for each peer it
// went to, and an eventfd for those who wake it, all in one poll. Owned by one thread.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>
#include <zmq.h>

#include "common/net/transport.h"
#include "common/net/zmq_socket.h"
#include "common/wire/buffer.h"

namespace antiphon {

// Wakes by an eventfd, which lives as long as somebody holds the waker.
class EventWaker final : public Waker {
 public:
  static StatusOr<std::shared_ptr<EventWaker>> Create();
  ~EventWaker() override;
  void Wake() override;

  int fd() const { return fd_; }
  // Forgets wake-ups so far.
  void Clear() const;

 private:
  explicit EventWaker(int fd) : fd_(fd) {}
  const int fd_;
};

class ZmqEndpoint final : public Endpoint {
 public:
  static StatusOr<std::unique_ptr<Endpoint>> Open(const EndpointOptions& options,
                                                  const ZmqContext& context);

  const std::string& address() const override { return address_; }
  StatusOr<PeerId> Connect(const std::string& address) override;
  void Disconnect(PeerId peer) override;
  Status Send(PeerId peer, Message message) override;
  std::optional<Incoming> Receive(Duration timeout) override;
  std::shared_ptr<Waker> waker() override { return waker_; }
  uint64_t dropped_total() const override { return dropped_total_; }

 private:
  struct Peer {
    std::optional<ZmqSocket> dealer;  // of a connection that this endpoint made
    RoutingId routing_id = 0;         // of one that came to its router
    std::string address;              // for errors
    std::deque<Message> outbox;
    uint64_t heard = 0;  // when it last sent something, counted in messages
  };

  ZmqEndpoint(const EndpointOptions& options, ZmqContext context, std::shared_ptr<EventWaker> waker)
      : options_(options), context_(std::move(context)), waker_(std::move(waker)) {}

  ZmqSocket::SendResult SendNow(Peer& peer, const Message& message);
  // Sends what waits for a peer. False when the peer is gone.
  bool Flush(Peer& peer);
  void FlushAll();
  std::optional<Incoming> TakeMessage();
  std::optional<Incoming> TakeFrom(ZmqSocket& socket, PeerId dealer);
  PeerId Learn(RoutingId routing_id);
  void ForgetOldest();
  void Forget(PeerId peer);
  void RebuildPollItems();
  // False when it was woken.
  bool Wait(Duration timeout);

  const EndpointOptions options_;
  const ZmqContext context_;
  const std::shared_ptr<EventWaker> waker_;
  std::string address_;
  BufferPool pool_;
  std::optional<ZmqSocket> router_;
  std::unordered_map<PeerId, Peer> peers_;
  std::unordered_map<RoutingId, PeerId> by_routing_id_;
  std::vector<PeerId> dealers_;
  std::vector<zmq_pollitem_t> poll_items_;  // the waker, the router if any, the dealers
  size_t next_turn_ = 0;                    // of dealers and router, so that none starves the rest
  size_t waiting_messages_ = 0;             // in all outboxes
  PeerId next_peer_ = 1;
  uint64_t heard_total_ = 0;
  uint64_t dropped_total_ = 0;
};

}  // namespace antiphon
