// MemoryTransport: endpoints of one process, for the one-process trainer and for tests.
//
// Addresses look like "mem://NAME". Buffers are shared, not copied. Without faults it delivers at
// once, in order and everything. A test may make it lose, double and delay messages by a seeded
// generator, cut links and kill endpoints; with a FakeClock and Receive(0) on one thread the same
// seed then gives the same run. Any thread may call a MemoryTransport; an endpoint belongs to one
// thread. Endpoints may outlive it.
#pragma once

#include <memory>
#include <string>

#include "common/base/clock.h"
#include "common/net/transport.h"

namespace antiphon {

// Chances are for each message. Retries of the layers above are messages like others.
struct MemoryFaults {
  uint64_t seed = 1;
  double loss = 0;
  double duplication = 0;
  Duration delay_min{};
  Duration delay_max{};
  // Lets a delayed message overtake those before it, as one on a second connection would. Without
  // it a link stays in order.
  bool reorder = false;
};

class MemoryNetwork;

class MemoryTransport final : public Transport {
 public:
  // `clock` outlives the transport and its endpoints; it is read only for delays and waits.
  explicit MemoryTransport(Clock& clock);
  ~MemoryTransport() override;

  StatusOr<std::unique_ptr<Endpoint>> Open(const EndpointOptions& options) override;

  // From now on, for messages that are sent from now on. Starts the generator anew.
  void SetFaults(const MemoryFaults& faults);

  // Names are those of EndpointOptions; an empty one stands for everybody. A cut is one way and
  // silent: Send succeeds and nothing arrives. What is under way already arrives.
  void Cut(const std::string& from, const std::string& to);
  void Heal(const std::string& from, const std::string& to);
  void HealAll();

  // Ends every endpoint of this name as `kill -9` ends a process: what waits for it is lost, its
  // address is free, peers that it had met get kUnavailable; the owner of the endpoint can neither
  // send nor receive any more.
  void Kill(const std::string& name);

 private:
  std::shared_ptr<MemoryNetwork> network_;
};

}  // namespace antiphon
