// MembersCast: sends the newest members of the clock to every lane, again and again until each lane
// has them. Owned by the scheduler's thread.
#pragma once

#include <cstdint>
#include <vector>

#include "common/net/rpc.h"
#include "scheduler/clock_group.h"
#include "scheduler/lanes.h"

namespace antiphon {

class MembersCast final : public ReplyHandler {
 public:
  explicit MembersCast(Lanes& lanes) : lanes_(lanes) {}
  ~MembersCast() override;
  MembersCast(const MembersCast&) = delete;
  MembersCast& operator=(const MembersCast&) = delete;

  // Sends to the lanes that do not have the group's version yet and are not being told it.
  void Advance(const ClockGroup& group);

  // Lanes were built anew: nobody has anything yet.
  void Forget();

  void OnReply(CallId call, const Status& status, const Message& reply) override;

 private:
  struct Recipient {
    uint64_t acknowledged = 0;
    uint64_t sent = 0;
    CallId call = 0;  // 0: none is under way
  };

  Lanes& lanes_;
  std::vector<Recipient> recipients_;
};

}  // namespace antiphon
