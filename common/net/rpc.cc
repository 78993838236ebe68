#include "common/net/rpc.h"

#include <algorithm>
#include <bit>
#include <string>
#include <utility>

namespace antiphon {
namespace {

// A call's id is its sequence number, which is never used again, and the slot that it lies in.
constexpr int kSlotBits = 16;
constexpr size_t kMaxSlots = size_t{1} << kSlotBits;

// One Poll handles no more, so that retries and the caller's own work get their turn.
constexpr int kMaxMessagesPerPoll = 64;

// A request that did not even leave (a full queue, a peer that is not there yet) is tried again
// sooner than one that may have arrived.
constexpr Duration kResendAfter = std::chrono::milliseconds(10);

}  // namespace

RpcNode::RpcNode(Endpoint& endpoint, Clock& clock, const RpcOptions& options,
                 RequestHandler* handler)
    : endpoint_(endpoint), clock_(clock), options_(options), handler_(handler) {
  CHECK(options_.max_calls_in_flight <= kMaxSlots / 2)
      << "max_calls_in_flight is " << options_.max_calls_in_flight << ", at most " << kMaxSlots / 2;
}

void RpcNode::SetCluster(uint64_t cluster_id, uint64_t epoch) {
  cluster_id_ = cluster_id;
  epoch_ = epoch;
}

FrameHeader RpcNode::MakeHeader(FrameKind kind, uint16_t method, uint64_t request_id) const {
  FrameHeader header;
  header.kind = kind;
  header.method = method;
  header.request_id = request_id;
  header.sender = options_.incarnation;
  header.cluster_id = cluster_id_;
  header.epoch = epoch_;
  return header;
}

CallId RpcNode::Call(PeerId to, Method method, const google::protobuf::MessageLite& meta,
                     std::span<const Buffer> bulk, const CallOptions& options,
                     ReplyHandler& handler) {
  const Time now = clock_.Now();
  // Looked at before the slot is taken: this call may be the one too many.
  const bool too_many = in_flight_ >= options_.max_calls_in_flight;
  PendingCall& call = TakeSlot();
  call.to = to;
  call.method = static_cast<uint16_t>(method);
  call.started = now;
  call.deadline = now + options.deadline;
  call.retry_after = options.retry_after;
  call.handler = &handler;
  if (too_many) {
    call.failure = ResourceExhaustedError(std::to_string(options_.max_calls_in_flight) +
                                          " calls are in flight already");
    call.hopeless = true;
  } else {
    StatusOr<Message> message =
        EncodeMessage(MakeHeader(FrameKind::kRequest, call.method, call.id), &meta, bulk, pool_);
    if (message.ok()) {
      call.message = *std::move(message);
      Attempt(call, now);
    } else {
      call.failure = message.status();
      call.hopeless = true;
    }
  }
  next_due_ = std::min(next_due_, call.hopeless ? now : std::min(call.retry_at, call.deadline));
  return call.id;
}

void RpcNode::Attempt(PendingCall& call, Time now) {
  call.failure = endpoint_.Send(call.to, call.message);
  switch (call.failure.code()) {
    case StatusCode::kOk:
      call.retry_at = now + call.retry_after;
      return;
    case StatusCode::kUnavailable:
    case StatusCode::kResourceExhausted:
      call.retry_at = now + std::min(call.retry_after, kResendAfter);
      return;
    default:
      call.hopeless = true;
  }
}

void RpcNode::Cancel(CallId call) {
  if (PendingCall* pending = Find(call); pending != nullptr) {
    Free(*pending);
  }
}

std::optional<RpcNode::Waiting> RpcNode::WaitOf(CallId call) {
  const PendingCall* pending = Find(call);
  if (pending == nullptr) {
    return std::nullopt;
  }
  return Waiting{.since = pending->started, .failure = pending->failure};
}

ReplyAddress RpcNode::AddressOf(const Request& request) {
  return {
      .to = request.from, .request_id = request.header.request_id, .method = request.header.method};
}

void RpcNode::Reply(const ReplyAddress& to, const google::protobuf::MessageLite& meta,
                    std::span<const Buffer> bulk) {
  StatusOr<Message> message =
      EncodeMessage(MakeHeader(FrameKind::kReply, to.method, to.request_id), &meta, bulk, pool_);
  if (!message.ok()) {
    ReplyError(to, message.status().WithContext("the reply cannot be sent"));
    return;
  }
  endpoint_.Send(to.to, *std::move(message)).IgnoreError();
}

void RpcNode::ReplyError(const ReplyAddress& to, const Status& status) {
  const FrameHeader header = MakeHeader(FrameKind::kReply, to.method, to.request_id);
  endpoint_.Send(to.to, EncodeError(header, status, pool_)).IgnoreError();
}

bool RpcNode::Poll(Duration timeout) {
  const Time start = clock_.Now();
  if (next_due_ != Time::max()) {
    timeout = std::clamp(next_due_ - start, Duration::zero(), timeout);
  }
  int received = 0;
  for (; received < kMaxMessagesPerPoll; ++received) {
    std::optional<Incoming> incoming =
        endpoint_.Receive(received == 0 ? timeout : Duration::zero());
    if (!incoming.has_value()) {
      break;
    }
    Dispatch(*std::move(incoming));
  }
  if (const Time now = clock_.Now(); now >= next_due_) {
    EndLateCalls(now);
  }
  return received > 0;
}

void RpcNode::Dispatch(Incoming incoming) {
  const StatusOr<FrameHeader> header = CheckMessage(incoming.message);
  if (!header.ok()) {
    CountBadFrame(header.status());
    return;
  }
  if (header->kind == FrameKind::kReply) {
    DispatchReply(incoming.from, *header, incoming.message);
    return;
  }
  request_.from = incoming.from;
  request_.header = *header;
  request_.message = std::move(incoming.message);
  if (handler_ != nullptr) {
    handler_->OnRequest(request_);
  } else {
    ReplyError(AddressOf(request_), UnimplementedError("this node answers no requests"));
  }
  // The buffers go back to where they came from, unless the handler kept them.
  request_.message.Clear();
}

void RpcNode::DispatchReply(PeerId from, const FrameHeader& header, const Message& message) {
  PendingCall* call = Find(header.request_id);
  if (call == nullptr) {
    return;  // the second answer to a call that was sent again, or one that came too late
  }
  if (call->to != from || call->method != header.method) {
    CountBadFrame(InvalidArgumentError("a reply that answers no call to this peer"));
    return;
  }
  if (cluster_id_ != 0 && header.cluster_id != 0 && header.cluster_id != cluster_id_) {
    CountBadFrame(InvalidArgumentError("a reply from another cluster"));
    return;
  }
  EndCall(*call, ReplyStatus(header, message), message);
}

void RpcNode::CountBadFrame(const Status& reason) {
  ++bad_frames_total_;
  // Strangers can send as many as they like: 1, 2, 4, 8, ... are worth a line.
  if (std::has_single_bit(bad_frames_total_)) {
    LOG(WARNING) << "dropped a message, " << bad_frames_total_ << " so far: " << reason;
  }
}

void RpcNode::EndLateCalls(Time now) {
  next_due_ = Time::max();
  // By index: a handler may make calls, which add slots at the end.
  // NOLINTNEXTLINE(modernize-loop-convert)
  for (size_t slot = 0; slot < calls_.size(); ++slot) {
    PendingCall& call = calls_[slot];
    if (call.id == 0) {
      continue;
    }
    if (call.hopeless) {
      EndCall(call, call.failure, Message());
    } else if (now >= call.deadline) {
      const Status late = DeadlineExceededError(Method_Name(static_cast<Method>(call.method)) +
                                                ": no reply came in time");
      EndCall(call, call.failure.ok() ? late : call.failure, Message());
    } else {
      if (now >= call.retry_at) {
        Attempt(call, now);
      }
      next_due_ = std::min(next_due_, call.hopeless ? now : std::min(call.retry_at, call.deadline));
    }
  }
}

void RpcNode::EndCall(PendingCall& call, const Status& status, const Message& reply) {
  // The slot is free before the handler runs, so that nothing can end the call a second time; the
  // status may lie in the slot, hence the copy.
  const Status outcome = status;  // NOLINT(performance-unnecessary-copy-initialization)
  const CallId id = call.id;
  ReplyHandler& handler = *call.handler;
  Free(call);
  handler.OnReply(id, outcome, reply);
}

RpcNode::PendingCall& RpcNode::TakeSlot() {
  if (free_slots_.empty()) {
    // Calls past max_calls_in_flight take a slot until the next Poll tells their handlers.
    CHECK(calls_.size() < kMaxSlots) << "a thread makes calls and never polls";
    free_slots_.push_back(static_cast<uint32_t>(calls_.size()));
    calls_.emplace_back();
  }
  const uint32_t slot = free_slots_.back();
  free_slots_.pop_back();
  ++in_flight_;
  PendingCall& call = calls_[slot];
  call.id = next_sequence_++ << kSlotBits | slot;
  return call;
}

RpcNode::PendingCall* RpcNode::Find(CallId call) {
  const size_t slot = call & (kMaxSlots - 1);
  if (call == 0 || slot >= calls_.size() || calls_[slot].id != call) {
    return nullptr;
  }
  return &calls_[slot];
}

void RpcNode::Free(PendingCall& call) {
  free_slots_.push_back(static_cast<uint32_t>(call.id & (kMaxSlots - 1)));
  --in_flight_;
  call.id = 0;
  call.message.Clear();
  call.failure = Status();
  call.hopeless = false;
}

}  // namespace antiphon
