#include "common/net/zmq_endpoint.h"

#include <algorithm>
#include <cerrno>
#include <sys/eventfd.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace antiphon {
namespace {

// Connections that came and went look like those that are silent, so the memory of them is bounded.
constexpr size_t kMaxLearnedPeers = 65536;

// A Receive that meets nothing but messages to drop gives its thread a turn after this many.
constexpr int kMaxDropsPerReceive = 64;

// ZeroMQ does not tell when one connection of a router takes messages again, so it is asked.
constexpr Duration kRouterRetry = std::chrono::milliseconds(2);

constexpr Duration kLongestWait = std::chrono::hours(1);

}  // namespace

StatusOr<std::shared_ptr<EventWaker>> EventWaker::Create() {
  const int fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd == -1) {
    return ResourceExhaustedError("cannot make an eventfd: " +
                                  std::generic_category().message(errno));
  }
  return std::shared_ptr<EventWaker>(new EventWaker(fd));
}

EventWaker::~EventWaker() {
  ::close(fd_);
}

void EventWaker::Wake() {
  // Fails only when 2^64 - 2 wake-ups wait already.
  if (::eventfd_write(fd_, 1) != 0) {
    return;
  }
}

void EventWaker::Clear() const {
  eventfd_t count = 0;
  if (::eventfd_read(fd_, &count) != 0) {
    return;  // none waited
  }
}

StatusOr<std::unique_ptr<Endpoint>> ZmqEndpoint::Open(const EndpointOptions& options,
                                                      const ZmqContext& context) {
  AP_ASSIGN_OR_RETURN(std::shared_ptr<EventWaker> waker, EventWaker::Create());
  std::unique_ptr<ZmqEndpoint> endpoint(new ZmqEndpoint(options, context, std::move(waker)));
  if (!options.listen_address.empty()) {
    AP_ASSIGN_OR_RETURN(ZmqSocket router, ZmqSocket::Open(context, ZmqSocket::Type::kRouter));
    AP_RETURN_IF_ERROR(router.Bind(options.listen_address).WithContext(options.name));
    AP_ASSIGN_OR_RETURN(endpoint->address_, router.BoundAddress());
    endpoint->router_.emplace(std::move(router));
  }
  endpoint->RebuildPollItems();
  return std::unique_ptr<Endpoint>(std::move(endpoint));
}

StatusOr<PeerId> ZmqEndpoint::Connect(const std::string& address) {
  AP_ASSIGN_OR_RETURN(ZmqSocket dealer, ZmqSocket::Open(context_, ZmqSocket::Type::kDealer));
  AP_RETURN_IF_ERROR(dealer.Connect(address).WithContext(options_.name));
  const PeerId id = next_peer_++;
  Peer& peer = peers_[id];
  peer.dealer.emplace(std::move(dealer));
  peer.address = address;
  dealers_.push_back(id);
  RebuildPollItems();
  return id;
}

void ZmqEndpoint::Disconnect(PeerId peer) {
  const auto found = peers_.find(peer);
  if (found == peers_.end()) {
    return;
  }
  if (found->second.dealer.has_value()) {
    found->second.dealer->DropOnClose();
    std::erase(dealers_, peer);
  }
  Forget(peer);
  RebuildPollItems();
}

void ZmqEndpoint::Forget(PeerId peer) {
  const auto found = peers_.find(peer);
  waiting_messages_ -= found->second.outbox.size();
  by_routing_id_.erase(found->second.routing_id);
  peers_.erase(found);
}

Status ZmqEndpoint::Send(PeerId peer, Message message) {
  const auto found = peers_.find(peer);
  if (found == peers_.end()) {
    return NotFoundError(options_.name + " knows no peer " + std::to_string(peer));
  }
  Peer& to = found->second;
  const bool reachable = Flush(to);
  ZmqSocket::SendResult result = ZmqSocket::SendResult::kFull;
  if (!reachable) {
    result = ZmqSocket::SendResult::kUnreachable;
  } else if (to.outbox.empty()) {
    result = SendNow(to, message);
  }
  if (result == ZmqSocket::SendResult::kUnreachable) {
    Forget(peer);
    return UnavailableError(options_.name + ": peer " + std::to_string(peer) + " is gone");
  }
  if (result == ZmqSocket::SendResult::kSent) {
    return Status();
  }
  if (to.outbox.size() >= options_.max_queued_messages) {
    return ResourceExhaustedError(
        options_.name + ": " + std::to_string(to.outbox.size()) + " messages wait for " +
        (to.address.empty() ? "peer " + std::to_string(peer) : to.address) +
        ", which does not take them");
  }
  to.outbox.push_back(std::move(message));
  ++waiting_messages_;
  return Status();
}

ZmqSocket::SendResult ZmqEndpoint::SendNow(Peer& peer, const Message& message) {
  ZmqSocket& socket = peer.dealer.has_value() ? *peer.dealer : *router_;
  return socket.Send(peer.routing_id, message);
}

bool ZmqEndpoint::Flush(Peer& peer) {
  while (!peer.outbox.empty()) {
    const ZmqSocket::SendResult result = SendNow(peer, peer.outbox.front());
    if (result != ZmqSocket::SendResult::kSent) {
      return result != ZmqSocket::SendResult::kUnreachable;
    }
    peer.outbox.pop_front();
    --waiting_messages_;
  }
  return true;
}

void ZmqEndpoint::FlushAll() {
  std::vector<PeerId> gone;
  for (auto& [id, peer] : peers_) {
    if (!Flush(peer)) {
      gone.push_back(id);
    }
  }
  for (const PeerId id : gone) {
    Forget(id);
  }
}

std::optional<Incoming> ZmqEndpoint::Receive(Duration timeout) {
  if (waiting_messages_ > 0) {
    FlushAll();
  }
  if (std::optional<Incoming> incoming = TakeMessage(); incoming.has_value()) {
    return incoming;
  }
  if (timeout <= Duration::zero()) {
    return std::nullopt;
  }
  // The kernel waits, so it is the kernel's clock that counts.
  timeout = std::min(timeout, kLongestWait);
  const auto end = std::chrono::steady_clock::now() + timeout;
  while (timeout > Duration::zero()) {
    const bool go_on = Wait(timeout);
    if (waiting_messages_ > 0) {
      FlushAll();
    }
    if (std::optional<Incoming> incoming = TakeMessage(); incoming.has_value()) {
      return incoming;
    }
    if (!go_on) {
      break;
    }
    timeout = end - std::chrono::steady_clock::now();
  }
  return std::nullopt;
}

std::optional<Incoming> ZmqEndpoint::TakeMessage() {
  const size_t sockets = dealers_.size() + (router_.has_value() ? 1 : 0);
  for (size_t i = 0; i < sockets; ++i) {
    next_turn_ = next_turn_ + 1 < sockets ? next_turn_ + 1 : 0;
    const bool is_dealer = next_turn_ < dealers_.size();
    const PeerId dealer = is_dealer ? dealers_[next_turn_] : 0;
    std::optional<Incoming> incoming =
        TakeFrom(is_dealer ? *peers_[dealer].dealer : *router_, dealer);
    if (incoming.has_value()) {
      return incoming;
    }
  }
  return std::nullopt;
}

std::optional<Incoming> ZmqEndpoint::TakeFrom(ZmqSocket& socket, PeerId dealer) {
  Incoming incoming;
  for (int drops = 0; drops < kMaxDropsPerReceive; ++drops) {
    RoutingId routing_id = 0;
    switch (socket.Receive(pool_, &routing_id, &incoming.message)) {
      case ZmqSocket::ReceiveResult::kMessage:
        incoming.from = dealer != 0 ? dealer : Learn(routing_id);
        return incoming;
      case ZmqSocket::ReceiveResult::kNothing:
        return std::nullopt;
      case ZmqSocket::ReceiveResult::kDropped:
        ++dropped_total_;
    }
  }
  return std::nullopt;
}

PeerId ZmqEndpoint::Learn(RoutingId routing_id) {
  const auto [entry, is_new] = by_routing_id_.try_emplace(routing_id, next_peer_);
  const PeerId id = entry->second;
  Peer& peer = peers_[id];
  peer.heard = ++heard_total_;
  if (is_new) {
    ++next_peer_;
    peer.routing_id = routing_id;
    if (by_routing_id_.size() > kMaxLearnedPeers) {
      ForgetOldest();
    }
  }
  return id;
}

void ZmqEndpoint::ForgetOldest() {
  // A quarter at once, so that the search is paid by many newcomers.
  std::vector<std::pair<uint64_t, PeerId>> by_age;
  by_age.reserve(by_routing_id_.size());
  for (const auto& [routing_id, id] : by_routing_id_) {
    by_age.emplace_back(peers_[id].heard, id);
  }
  const auto quarter = by_age.begin() + static_cast<std::ptrdiff_t>(by_age.size() / 4);
  std::nth_element(by_age.begin(), quarter, by_age.end());
  for (auto oldest = by_age.begin(); oldest != quarter; ++oldest) {
    Forget(oldest->second);
  }
}

void ZmqEndpoint::RebuildPollItems() {
  poll_items_.clear();
  poll_items_.push_back(
      {.socket = nullptr, .fd = waker_->fd(), .events = ZMQ_POLLIN, .revents = 0});
  for (const PeerId id : dealers_) {
    poll_items_.push_back(
        {.socket = peers_[id].dealer->handle(), .fd = 0, .events = ZMQ_POLLIN, .revents = 0});
  }
  if (router_.has_value()) {
    poll_items_.push_back(
        {.socket = router_->handle(), .fd = 0, .events = ZMQ_POLLIN, .revents = 0});
  }
}

bool ZmqEndpoint::Wait(Duration timeout) {
  if (waiting_messages_ > 0) {
    size_t of_dealers = 0;
    for (size_t i = 0; i < dealers_.size(); ++i) {
      const size_t waiting = peers_[dealers_[i]].outbox.size();
      of_dealers += waiting;
      poll_items_[i + 1].events = static_cast<short>(ZMQ_POLLIN | (waiting > 0 ? ZMQ_POLLOUT : 0));
    }
    if (of_dealers < waiting_messages_) {
      timeout = std::min(timeout, kRouterRetry);
    }
  }
  // Rounded up: a wait that ends too early would spin until the time is there.
  const int64_t milliseconds = std::chrono::ceil<std::chrono::milliseconds>(timeout).count();
  const int ready =
      zmq_poll(poll_items_.data(), static_cast<int>(poll_items_.size()), milliseconds);
  for (size_t i = 0; i < dealers_.size(); ++i) {
    poll_items_[i + 1].events = ZMQ_POLLIN;
  }
  if (ready > 0 && (poll_items_[0].revents & ZMQ_POLLIN) != 0) {
    waker_->Clear();
    return false;
  }
  return true;
}

}  // namespace antiphon
