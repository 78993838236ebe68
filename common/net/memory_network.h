// MemoryNetwork: what the endpoints of one MemoryTransport share: who listens where, what waits for
// somebody who does not listen yet, and the faults that a test asked for.
//
// Guarded: any thread may call anything. Locks are taken in the order network, mailbox.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "common/base/rng.h"
#include "common/base/status.h"
#include "common/net/memory_mailbox.h"
#include "common/net/memory_transport.h"

namespace antiphon {

class MemoryNetwork {
 public:
  using Letter = MemoryMailbox::Letter;

  explicit MemoryNetwork(Clock& clock) : clock_(clock), rng_(1) {}

  // A mailbox for a new endpoint; one with an address also gets what waited for it.
  StatusOr<std::shared_ptr<MemoryMailbox>> Enter(const EndpointOptions& options) AP_EXCLUDES(mu_);
  // Closes the mailbox and frees its address.
  void Leave(const std::shared_ptr<MemoryMailbox>& mailbox) AP_EXCLUDES(mu_);

  PeerId NewLink() { return next_link_.fetch_add(1); }

  // Delivers to whoever listens at `address` now, and tells who that is; with nobody there the
  // letter waits.
  Status SendTo(const std::string& address, Letter& letter, size_t limit,
                std::shared_ptr<MemoryMailbox>* receiver) AP_EXCLUDES(mu_);
  // Delivers to `receiver`, through the faults if there are any.
  Status Deliver(MemoryMailbox& receiver, Letter& letter, size_t limit) AP_EXCLUDES(mu_);
  // Drops what waits on a link.
  void Forget(const std::string& address, PeerId link) AP_EXCLUDES(mu_);

  void SetFaults(const MemoryFaults& faults) AP_EXCLUDES(mu_);
  void Cut(const std::string& from, const std::string& to) AP_EXCLUDES(mu_);
  void Heal(const std::string& from, const std::string& to) AP_EXCLUDES(mu_);
  void HealAll() AP_EXCLUDES(mu_);
  void Kill(const std::string& name) AP_EXCLUDES(mu_);

 private:
  Status DeliverLocked(MemoryMailbox& receiver, Letter& letter, size_t limit) AP_REQUIRES(mu_);
  Status DeliverDelayed(MemoryMailbox& receiver, Letter& letter, size_t limit) AP_REQUIRES(mu_);
  bool IsCut(const std::string& from, const std::string& to) const AP_REQUIRES(mu_);
  void UpdateFaulty() AP_REQUIRES(mu_);

  Clock& clock_;
  std::atomic<PeerId> next_link_{1};
  // Whether a message must look at faults and cuts at all; the common case takes no lock here.
  std::atomic<bool> faulty_{false};
  Mutex mu_;
  std::vector<std::weak_ptr<MemoryMailbox>> mailboxes_ AP_GUARDED_BY(mu_);
  std::map<std::string, std::shared_ptr<MemoryMailbox>> listeners_ AP_GUARDED_BY(mu_);
  std::map<std::string, std::deque<Letter>> waiting_ AP_GUARDED_BY(mu_);
  MemoryFaults faults_ AP_GUARDED_BY(mu_);
  Rng rng_ AP_GUARDED_BY(mu_);
  std::set<std::pair<std::string, std::string>> cuts_ AP_GUARDED_BY(mu_);
  // When the last letter of a link and direction is due, so that the next one comes after it.
  std::map<std::pair<PeerId, bool>, Time> last_due_ AP_GUARDED_BY(mu_);
};

}  // namespace antiphon
