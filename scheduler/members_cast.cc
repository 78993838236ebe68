#include "scheduler/members_cast.h"

#include <chrono>

namespace antiphon {
namespace {

constexpr CallOptions kCastOptions = {.deadline = std::chrono::seconds(5),
                                      .retry_after = std::chrono::milliseconds(200)};

}  // namespace

MembersCast::~MembersCast() {
  Forget();
}

void MembersCast::Forget() {
  for (const Recipient& recipient : recipients_) {
    if (recipient.call != 0) {
      lanes_.Cancel(recipient.call);
    }
  }
  recipients_.clear();
}

void MembersCast::Advance(const ClockGroup& group) {
  recipients_.resize(lanes_.size());
  for (LaneId lane = 0; lane < recipients_.size(); ++lane) {
    Recipient& recipient = recipients_[lane];
    if (recipient.acknowledged == group.version() ||
        (recipient.call != 0 && recipient.sent == group.version())) {
      continue;
    }
    if (recipient.call != 0) {
      lanes_.Cancel(recipient.call);
    }
    recipient.sent = group.version();
    recipient.call = lanes_.Call(lane, METHOD_SET_MEMBERS, group.ToRequest(), kCastOptions, *this);
  }
}

// A failed call is made again by the next Advance: either the lane answers, or its server dies and
// another one takes its place.
void MembersCast::OnReply(CallId call, const Status& status, const Message& /*reply*/) {
  for (Recipient& recipient : recipients_) {
    if (recipient.call == call) {
      recipient.call = 0;
      if (status.ok()) {
        recipient.acknowledged = recipient.sent;
      }
    }
  }
}

}  // namespace antiphon
