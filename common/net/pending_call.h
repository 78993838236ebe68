// PendingCall: one call at a time whose end is looked at rather than heard of.
//
// For state machines that ask, go on, and look again. Owned by the RPC node's thread.
#pragma once

#include <span>
#include <string>
#include <utility>

#include "common/net/rpc.h"

namespace antiphon {

class PendingCall final : public ReplyHandler {
 public:
  explicit PendingCall(RpcNode& rpc) : rpc_(rpc) {}
  ~PendingCall() override { Cancel(); }
  PendingCall(const PendingCall&) = delete;
  PendingCall& operator=(const PendingCall&) = delete;

  void Start(PeerId to, Method method, const google::protobuf::MessageLite& meta,
             std::span<const Buffer> bulk, const CallOptions& options) {
    Cancel();
    state_ = State::kPending;
    call_ = rpc_.Call(to, method, meta, bulk, options, *this);
  }

  void Cancel() {
    if (state_ == State::kPending) {
      rpc_.Cancel(call_);
    }
    state_ = State::kIdle;
    message_.Clear();
  }

  bool idle() const { return state_ == State::kIdle; }
  bool pending() const { return state_ == State::kPending; }
  bool ready() const { return state_ == State::kReady; }

  // Once ready: the end of the call, with the reply parsed into `meta`; idle afterwards.
  Status Take(google::protobuf::MessageLite& meta, Message* message = nullptr) {
    state_ = State::kIdle;
    AP_RETURN_IF_ERROR(status_);
    AP_RETURN_IF_ERROR(ParseMeta(message_, meta));
    if (message != nullptr) {
      *message = message_;
    }
    message_.Clear();
    return Status();
  }

  void OnReply(CallId call, const Status& status, const Message& reply) override {
    if (call != call_ || state_ != State::kPending) {
      return;
    }
    state_ = State::kReady;
    status_ = status;
    message_ = reply;
  }

 private:
  enum class State { kIdle, kPending, kReady };

  RpcNode& rpc_;
  State state_ = State::kIdle;
  CallId call_ = 0;
  Status status_;
  Message message_;
};

}  // namespace antiphon
