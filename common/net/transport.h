// Transport: the seam between the protocols and the network.
//
// An Endpoint is one thread's door to the network: it may listen at an address, it may be
// connected to other endpoints, and it receives from all of them. It belongs to one thread; only
// its Waker may be used by others. Delivery is at most once, in order for each pair of endpoints
// while a connection lives, and says nothing when a message is lost: retries and exactly-once are
// the business of the layers above.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "common/wire/frame.h"

namespace antiphon {

// Names the other side within one endpoint. A listener learns a new one with the first message of
// an unknown peer; it is never reused.
using PeerId = uint64_t;

struct Incoming {
  PeerId from = 0;
  Message message;
};

struct EndpointOptions {
  std::string name;                 // for errors and thread names: "lane 3"
  std::string listen_address;       // "tcp://127.0.0.1:0"; empty: this endpoint only connects
  size_t max_queued_messages = 64;  // to one peer, beyond which Send is refused
};

// Lets another thread end a Receive that waits. Outlives the endpoint safely.
class Waker {
 public:
  virtual ~Waker() = default;
  virtual void Wake() = 0;
};

class Endpoint {
 public:
  virtual ~Endpoint() = default;

  // Where others can reach this endpoint, with the port filled in; empty when not listening.
  virtual const std::string& address() const = 0;

  // Starts to connect and returns at once; messages are queued until the peer is there.
  virtual StatusOr<PeerId> Connect(const std::string& address) = 0;

  // Forgets the peer and drops what is queued for it.
  virtual void Disconnect(PeerId peer) = 0;

  // Never blocks. kUnavailable: the peer is gone; kResourceExhausted: its queue is full;
  // kNotFound: no such peer. On an error nothing was sent.
  virtual Status Send(PeerId peer, Message message) = 0;

  // The next message, or nothing after `timeout` or a wake-up. Zero does not wait. Messages that
  // break a limit of the transport are counted and dropped here.
  virtual std::optional<Incoming> Receive(Duration timeout) = 0;

  virtual std::shared_ptr<Waker> waker() = 0;

  // Messages dropped because they broke a limit.
  virtual uint64_t dropped_total() const = 0;
};

class Transport {
 public:
  virtual ~Transport() = default;
  // kAlreadyExists: the address is taken; kInvalidArgument: it is not one.
  virtual StatusOr<std::unique_ptr<Endpoint>> Open(const EndpointOptions& options) = 0;
};

}  // namespace antiphon
