#include "worker/lane_step.h"

#include <array>
#include <utility>

namespace antiphon {
namespace {

constexpr CallOptions kCallOptions{.deadline = LaneStep::kDeadline,
                                   .retry_after = LaneStep::kRetryAfter};

}  // namespace

void LaneStep::Bind(RpcNode& rpc, PeerId lane, std::string name) {
  rpc_ = &rpc;
  lane_ = lane;
  name_ = std::move(name);
}

void LaneStep::Pull(const PullRequest& request, Buffer keys) {
  Abandon();
  keys_ = std::move(keys);
  failure_ = Status();
  duplicate_ = false;
  state_ = State::kPulling;
  call_ = rpc_->Call(lane_, METHOD_PULL, request, {&keys_, 1}, kCallOptions, *this);
}

void LaneStep::Push(const PushRequest& request, Buffer gradients, Buffer counts, Buffer chunks) {
  push_request_.CopyFrom(request);
  push_request_.clear_has_keys();
  with_keys_ = false;
  gradients_ = std::move(gradients);
  counts_ = std::move(counts);
  chunks_ = std::move(chunks);
  pull_message_.Clear();
  SendPush();
}

void LaneStep::PushAgain() {
  SendPush();
}

void LaneStep::SendPush() {
  state_ = State::kPushing;
  const std::array<Buffer, 4> frames = {gradients_, counts_, chunks_, keys_};
  const size_t count = with_keys_ ? 4 : 3;
  call_ =
      rpc_->Call(lane_, METHOD_PUSH, push_request_, {frames.data(), count}, kCallOptions, *this);
}

void LaneStep::Abandon() {
  if (call_ != 0) {
    rpc_->Cancel(call_);
  }
  Finish();
}

void LaneStep::Finish() {
  call_ = 0;
  state_ = State::kIdle;
  keys_ = Buffer();
  gradients_ = Buffer();
  counts_ = Buffer();
  chunks_ = Buffer();
  pull_message_.Clear();
}

void LaneStep::OnReply(CallId call, const Status& status, const Message& reply) {
  if (call != call_) {
    return;
  }
  call_ = 0;
  if (state_ == State::kPulling) {
    OnPullReply(status, reply);
  } else if (state_ == State::kPushing) {
    OnPushReply(status, reply);
  }
}

void LaneStep::OnPullReply(const Status& status, const Message& reply) {
  if (!status.ok()) {
    Fail(status.WithContext("pull from " + name_));
    return;
  }
  const Status parsed = ParseMeta(reply, pull_reply_);
  if (!parsed.ok() || reply.bulk().size() != 2) {
    Fail(DataLossError("pull from " + name_ + ": the reply is not that of a pull"));
    return;
  }
  pull_message_ = reply;
  state_ = State::kPulled;
}

void LaneStep::OnPushReply(const Status& status, const Message& reply) {
  if (status.code() == StatusCode::kUnknownHandle && !with_keys_) {
    with_keys_ = true;
    push_request_.set_has_keys(true);
    SendPush();
    return;
  }
  if (status.code() == StatusCode::kPositionGap) {
    state_ = State::kHeld;
    return;
  }
  if (!status.ok()) {
    Fail(status.WithContext("push to " + name_));
    return;
  }
  if (const Status parsed = ParseMeta(reply, push_reply_); !parsed.ok()) {
    Fail(parsed.WithContext("push to " + name_));
    return;
  }
  duplicate_ = push_reply_.outcome() == PushReply::DUPLICATE;
  state_ = State::kPushed;
}

void LaneStep::Fail(const Status& status) {
  failure_ = status;
  state_ = State::kFailed;
}

}  // namespace antiphon
