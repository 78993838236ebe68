#include "common/net/memory_network.h"

#include <algorithm>

namespace antiphon {

StatusOr<std::shared_ptr<MemoryMailbox>> MemoryNetwork::Enter(const EndpointOptions& options) {
  auto mailbox = std::make_shared<MemoryMailbox>(options.name, clock_);
  const std::string& address = options.listen_address;
  MutexLock lock(mu_);
  if (!address.empty()) {
    if (!listeners_.emplace(address, mailbox).second) {
      return AlreadyExistsError(options.name + ": " + address + " is taken by " +
                                listeners_[address]->name());
    }
    if (const auto waiting = waiting_.find(address); waiting != waiting_.end()) {
      for (Letter& letter : waiting->second) {
        // Each link put no more into the queue than its limit allows.
        DeliverLocked(*mailbox, letter, SIZE_MAX).IgnoreError();
      }
      waiting_.erase(waiting);
    }
  }
  std::erase_if(mailboxes_, [](const std::weak_ptr<MemoryMailbox>& m) { return m.expired(); });
  mailboxes_.push_back(mailbox);
  return mailbox;
}

void MemoryNetwork::Leave(const std::shared_ptr<MemoryMailbox>& mailbox) {
  MutexLock lock(mu_);
  std::erase_if(listeners_, [&](const auto& entry) { return entry.second == mailbox; });
  mailbox->Close();
}

Status MemoryNetwork::SendTo(const std::string& address, Letter& letter, size_t limit,
                             std::shared_ptr<MemoryMailbox>* receiver) {
  MutexLock lock(mu_);
  if (const auto found = listeners_.find(address); found != listeners_.end()) {
    *receiver = found->second;
    return DeliverLocked(*found->second, letter, limit);
  }
  std::deque<Letter>& waiting = waiting_[address];
  const auto of_this_link = [&](const Letter& other) { return other.link == letter.link; };
  if (std::count_if(waiting.begin(), waiting.end(), of_this_link) >=
      static_cast<std::ptrdiff_t>(limit)) {
    return ResourceExhaustedError("nobody listens at " + address + " and " + std::to_string(limit) +
                                  " messages wait for it");
  }
  waiting.push_back(std::move(letter));
  return Status();
}

Status MemoryNetwork::Deliver(MemoryMailbox& receiver, Letter& letter, size_t limit) {
  if (!faulty_.load(std::memory_order_acquire)) {
    return receiver.Put(letter, limit);
  }
  MutexLock lock(mu_);
  return DeliverLocked(receiver, letter, limit);
}

Status MemoryNetwork::DeliverLocked(MemoryMailbox& receiver, Letter& letter, size_t limit) {
  // Like a socket, it knows of a peer that is gone whatever the network does to messages.
  if (receiver.closed()) {
    return UnavailableError(receiver.name() + " is gone");
  }
  if (IsCut(letter.sender->name(), receiver.name()) || rng_.Chance(faults_.loss)) {
    return Status();
  }
  if (rng_.Chance(faults_.duplication)) {
    Letter copy = letter;
    AP_RETURN_IF_ERROR(DeliverDelayed(receiver, copy, limit));
    // A second copy that finds the queue full is a second copy that was lost.
    DeliverDelayed(receiver, letter, limit).IgnoreError();
    return Status();
  }
  return DeliverDelayed(receiver, letter, limit);
}

Status MemoryNetwork::DeliverDelayed(MemoryMailbox& receiver, Letter& letter, size_t limit) {
  if (faults_.delay_max > Duration::zero()) {
    const Duration range = faults_.delay_max - faults_.delay_min;
    const auto part = static_cast<int64_t>(rng_.Uniform() * static_cast<double>(range.count()));
    letter.deliver_at = clock_.Now() + faults_.delay_min + Duration(part);
    if (!faults_.reorder) {
      Time& last_due = last_due_[{letter.link, letter.to_connector}];
      // One nanosecond apart, since letters that are due together come in any order.
      letter.deliver_at = std::max(letter.deliver_at, last_due + Duration(1));
      last_due = letter.deliver_at;
    }
  }
  return receiver.Put(letter, limit);
}

bool MemoryNetwork::IsCut(const std::string& from, const std::string& to) const {
  return !cuts_.empty() && (cuts_.contains({from, to}) || cuts_.contains({from, ""}) ||
                            cuts_.contains({"", to}) || cuts_.contains({"", ""}));
}

void MemoryNetwork::Forget(const std::string& address, PeerId link) {
  MutexLock lock(mu_);
  last_due_.erase({link, false});
  last_due_.erase({link, true});
  const auto waiting = waiting_.find(address);
  if (waiting == waiting_.end()) {
    return;
  }
  std::erase_if(waiting->second, [&](const Letter& letter) { return letter.link == link; });
  if (waiting->second.empty()) {
    waiting_.erase(waiting);
  }
}

void MemoryNetwork::SetFaults(const MemoryFaults& faults) {
  MutexLock lock(mu_);
  faults_ = faults;
  rng_ = Rng(faults.seed);
  UpdateFaulty();
}

void MemoryNetwork::Cut(const std::string& from, const std::string& to) {
  MutexLock lock(mu_);
  cuts_.emplace(from, to);
  UpdateFaulty();
}

void MemoryNetwork::Heal(const std::string& from, const std::string& to) {
  MutexLock lock(mu_);
  cuts_.erase({from, to});
  UpdateFaulty();
}

void MemoryNetwork::HealAll() {
  MutexLock lock(mu_);
  cuts_.clear();
  UpdateFaulty();
}

void MemoryNetwork::Kill(const std::string& name) {
  MutexLock lock(mu_);
  std::erase_if(listeners_, [&](const auto& entry) { return entry.second->name() == name; });
  for (const std::weak_ptr<MemoryMailbox>& weak : mailboxes_) {
    if (const std::shared_ptr<MemoryMailbox> mailbox = weak.lock();
        mailbox != nullptr && mailbox->name() == name) {
      mailbox->Close();
    }
  }
}

void MemoryNetwork::UpdateFaulty() {
  faulty_.store(!cuts_.empty() || faults_.loss > 0 || faults_.duplication > 0 ||
                    faults_.delay_max > Duration::zero(),
                std::memory_order_release);
}

}  // namespace antiphon
