// LaneStep: what one training step says to one lane: a pull, and a push that answers it.
//
// A state machine on the worker's RPC thread; its memory is used again step after step. It mends
// by itself what can be mended: a handle that the lane forgot (the push goes again, with keys) and
// a push that arrived before its predecessor (it is held, and sent again when told).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "common/base/status.h"
#include "common/base/types.h"
#include "common/net/rpc.h"
#include "common/wire/buffer.h"
#include "proto/cluster.pb.h"

namespace antiphon {

class LaneStep final : public ReplyHandler {
 public:
  enum class State {
    kIdle,
    kPulling,
    kPulled,  // the reply is here
    kPushing,
    kHeld,    // the lane has not yet applied what lies before this push
    kPushed,  // applied, or known to have been applied
    kFailed,
  };

  // The longest that a pull or push may take. Pulls wait in the lane for slower workers, so this
  // is a bound on a hang, not an expected time.
  static constexpr Duration kDeadline = std::chrono::minutes(10);
  static constexpr Duration kRetryAfter = std::chrono::seconds(2);

  void Bind(RpcNode& rpc, PeerId lane, std::string name);

  // `keys` (shared, may be empty) go with the pull, and with the push when the lane forgot them.
  void Pull(const PullRequest& request, Buffer keys);

  // Valid in state kPulled, until the next Pull.
  const PullReply& pull_reply() const { return pull_reply_; }
  const Message& pull_message() const { return pull_message_; }

  // `gradients`, `counts` and `chunks` are shared until the push is over. The caller's request has
  // everything but has_keys.
  void Push(const PushRequest& request, Buffer gradients, Buffer counts, Buffer chunks);

  // From kHeld, once the lane has everything before this push.
  void PushAgain();

  // Forgets what is in flight.
  void Abandon();

  // Gives back the buffers of a finished step.
  void Finish();

  State state() const { return state_; }
  bool duplicate() const { return duplicate_; }  // of a push: the lane had it already
  const Status& failure() const { return failure_; }
  // What is under way and since when; nothing when the lane owes no answer.
  std::optional<RpcNode::Waiting> wait() const {
    return call_ == 0 ? std::nullopt : rpc_->WaitOf(call_);
  }

  void OnReply(CallId call, const Status& status, const Message& reply) override;

 private:
  void SendPush();
  void OnPullReply(const Status& status, const Message& reply);
  void OnPushReply(const Status& status, const Message& reply);
  void Fail(const Status& status);

  RpcNode* rpc_ = nullptr;
  PeerId lane_ = 0;
  std::string name_;
  State state_ = State::kIdle;
  CallId call_ = 0;  // in flight; 0: none
  bool duplicate_ = false;
  Status failure_;

  Buffer keys_;
  PullReply pull_reply_;
  Message pull_message_;
  PushRequest push_request_;
  PushReply push_reply_;
  bool with_keys_ = false;
  Buffer gradients_;
  Buffer counts_;
  Buffer chunks_;
};

}  // namespace antiphon
