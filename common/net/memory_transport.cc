#include "common/net/memory_transport.h"

#include <unordered_map>
#include <utility>

#include "common/net/memory_mailbox.h"
#include "common/net/memory_network.h"

namespace antiphon {
namespace {

constexpr std::string_view kScheme = "mem://";

bool IsAddress(const std::string& address) {
  return address.size() > kScheme.size() && address.starts_with(kScheme);
}

Status NotAnAddress(const std::string& address) {
  return InvalidArgumentError("'" + address + "' is not an address of this transport, expected " +
                              std::string(kScheme) + "NAME");
}

class MemoryWaker final : public Waker {
 public:
  explicit MemoryWaker(std::shared_ptr<MemoryMailbox> mailbox) : mailbox_(std::move(mailbox)) {}
  void Wake() override { mailbox_->Wake(); }

 private:
  std::shared_ptr<MemoryMailbox> mailbox_;
};

class MemoryEndpoint final : public Endpoint {
 public:
  MemoryEndpoint(const EndpointOptions& options, std::shared_ptr<MemoryNetwork> network,
                 std::shared_ptr<MemoryMailbox> mailbox)
      : options_(options),
        network_(std::move(network)),
        mailbox_(std::move(mailbox)),
        waker_(std::make_shared<MemoryWaker>(mailbox_)) {}
  ~MemoryEndpoint() override {
    for (const auto& [link, peer] : peers_) {
      network_->Forget(peer.address, link);
    }
    network_->Leave(mailbox_);
  }

  const std::string& address() const override { return options_.listen_address; }

  StatusOr<PeerId> Connect(const std::string& address) override {
    if (!IsAddress(address)) {
      return NotAnAddress(address);
    }
    const PeerId link = network_->NewLink();
    peers_[link].address = address;
    return link;
  }

  void Disconnect(PeerId peer) override {
    if (const auto found = peers_.find(peer); found != peers_.end()) {
      network_->Forget(found->second.address, peer);
      peers_.erase(found);
    }
  }

  Status Send(PeerId peer, Message message) override {
    const auto found = peers_.find(peer);
    if (found == peers_.end()) {
      return NotFoundError(options_.name + " knows no peer " + std::to_string(peer));
    }
    if (mailbox_->closed()) {
      return UnavailableError(options_.name + " was killed");
    }
    Peer& to = found->second;
    MemoryMailbox::Letter letter{.link = peer,
                                 .to_connector = to.address.empty(),
                                 .sender = mailbox_,
                                 .message = std::move(message),
                                 .deliver_at = Time()};
    if (to.mailbox != nullptr) {
      Status status = network_->Deliver(*to.mailbox, letter, options_.max_queued_messages);
      if (status.code() != StatusCode::kUnavailable) {
        return status;
      }
      if (to.address.empty()) {
        peers_.erase(found);  // nobody can come back on a link that the other side made
        return status;
      }
      to.mailbox = nullptr;
    }
    return network_->SendTo(to.address, letter, options_.max_queued_messages, &to.mailbox);
  }

  std::optional<Incoming> Receive(Duration timeout) override {
    while (true) {
      std::optional<MemoryMailbox::Letter> letter = mailbox_->Take(timeout);
      if (!letter.has_value()) {
        return std::nullopt;
      }
      if (const auto found = peers_.find(letter->link); found != peers_.end()) {
        found->second.mailbox = std::move(letter->sender);
      } else if (letter->to_connector) {
        continue;  // an answer on a link that was given up
      } else {
        peers_[letter->link].mailbox = std::move(letter->sender);
      }
      return Incoming{letter->link, std::move(letter->message)};
    }
  }

  std::shared_ptr<Waker> waker() override { return waker_; }

  uint64_t dropped_total() const override { return 0; }  // a Message cannot break a limit

 private:
  struct Peer {
    std::string address;  // of a peer that this endpoint connected to
    std::shared_ptr<MemoryMailbox> mailbox;
  };

  const EndpointOptions options_;
  const std::shared_ptr<MemoryNetwork> network_;
  const std::shared_ptr<MemoryMailbox> mailbox_;
  const std::shared_ptr<MemoryWaker> waker_;
  std::unordered_map<PeerId, Peer> peers_;
};

}  // namespace

MemoryTransport::MemoryTransport(Clock& clock) : network_(std::make_shared<MemoryNetwork>(clock)) {}

MemoryTransport::~MemoryTransport() = default;

StatusOr<std::unique_ptr<Endpoint>> MemoryTransport::Open(const EndpointOptions& options) {
  if (!options.listen_address.empty() && !IsAddress(options.listen_address)) {
    return NotAnAddress(options.listen_address);
  }
  AP_ASSIGN_OR_RETURN(std::shared_ptr<MemoryMailbox> mailbox, network_->Enter(options));
  return std::unique_ptr<Endpoint>(
      std::make_unique<MemoryEndpoint>(options, network_, std::move(mailbox)));
}

void MemoryTransport::SetFaults(const MemoryFaults& faults) {
  network_->SetFaults(faults);
}

void MemoryTransport::Cut(const std::string& from, const std::string& to) {
  network_->Cut(from, to);
}

void MemoryTransport::Heal(const std::string& from, const std::string& to) {
  network_->Heal(from, to);
}

void MemoryTransport::HealAll() {
  network_->HealAll();
}

void MemoryTransport::Kill(const std::string& name) {
  network_->Kill(name);
}

}  // namespace antiphon
