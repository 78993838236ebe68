// MemoryMailbox: what waits for one endpoint of the in-process transport.
//
// Guarded: senders put messages in, the endpoint's thread takes them out, wakers wake it. It is
// shared by all who can reach the endpoint and closed when the endpoint goes away.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "common/base/ring_queue.h"
#include "common/base/status.h"
#include "common/net/transport.h"

namespace antiphon {

class MemoryMailbox {
 public:
  // A message on its way. A link joins the endpoint that connected and the one that listened; its
  // number is the PeerId on both sides.
  struct Letter {
    PeerId link = 0;
    bool to_connector = false;  // from the listening side to the one that connected
    std::shared_ptr<MemoryMailbox> sender;
    Message message;
    Time deliver_at;  // not set: at once
  };

  MemoryMailbox(std::string name, Clock& clock) : name_(std::move(name)), clock_(clock) {}

  // kUnavailable once closed; kResourceExhausted when `limit` letters of this link lie here
  // already. Then `letter` is left as it was.
  Status Put(Letter& letter, size_t limit) AP_EXCLUDES(mu_);

  // The next letter that is due, or nothing after `timeout` or a wake-up. A closed mailbox is
  // empty.
  std::optional<Letter> Take(Duration timeout) AP_EXCLUDES(mu_);

  // Ends the Take that waits now, or the next one.
  void Wake() AP_EXCLUDES(mu_);

  // Drops what is inside and refuses what comes.
  void Close() AP_EXCLUDES(mu_);
  bool closed() const AP_EXCLUDES(mu_);

  const std::string& name() const { return name_; }

 private:
  std::optional<Letter> TakeDue() AP_REQUIRES(mu_);

  const std::string name_;
  Clock& clock_;
  mutable Mutex mu_;
  CondVar changed_;
  RingQueue<Letter> due_ AP_GUARDED_BY(mu_);
  std::vector<Letter> delayed_ AP_GUARDED_BY(mu_);                // a heap, the earliest in front
  std::unordered_map<PeerId, size_t> queued_ AP_GUARDED_BY(mu_);  // of every link ever used
  bool woken_ AP_GUARDED_BY(mu_) = false;
  bool closed_ AP_GUARDED_BY(mu_) = false;
};

}  // namespace antiphon
