// RpcNode: requests and replies over one Endpoint, for a thread that may be client, server or both.
//
// Owned by the endpoint's thread. Nothing blocks but Poll, and only for as long as it is told.
// A call is sent again every `retry_after` until its reply or its deadline comes, under the same
// request id: every method is therefore written so that a repeated request does no harm.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include <google/protobuf/message_lite.h>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "common/base/types.h"
#include "common/net/transport.h"
#include "common/wire/frame.h"
#include "proto/cluster.pb.h"

namespace antiphon {

using CallId = uint64_t;

// A request that was checked (limits, checksums) but whose meta is not parsed yet.
struct Request {
  PeerId from = 0;
  FrameHeader header;
  Message message;

  Method method() const { return static_cast<Method>(header.method); }
  Status Parse(google::protobuf::MessageLite& meta) const { return ParseMeta(message, meta); }
};

// Where a reply goes; kept as long as the answer is owed.
struct ReplyAddress {
  PeerId to = 0;
  uint64_t request_id = 0;
  uint16_t method = 0;
};

// Answers requests, at once or later, by RpcNode::Reply with the request's address.
class RequestHandler {
 public:
  virtual ~RequestHandler() = default;
  virtual void OnRequest(Request& request) = 0;
};

// Gets the reply of a call it made: exactly once for each, with kDeadlineExceeded when none came,
// or, when not even the last attempt could be sent, with the reason. It may call the node.
class ReplyHandler {
 public:
  virtual ~ReplyHandler() = default;
  virtual void OnReply(CallId call, const Status& status, const Message& reply) = 0;
};

struct CallOptions {
  Duration deadline = std::chrono::seconds(30);
  Duration retry_after = std::chrono::seconds(2);
};

struct RpcOptions {
  Incarnation incarnation = 0;
  size_t max_calls_in_flight = 1024;  // at most 32768
};

class RpcNode {
 public:
  // `handler` may be null: requests are then answered with kUnimplemented.
  RpcNode(Endpoint& endpoint, Clock& clock, const RpcOptions& options, RequestHandler* handler);

  // Stamped on everything that is sent from now on.
  void SetCluster(uint64_t cluster_id, uint64_t epoch);

  // Sends a request. The buffers are kept until the call ends. Errors come through `handler` like
  // any other end of a call, during a later Poll. A destroyed node forgets its calls.
  CallId Call(PeerId to, Method method, const google::protobuf::MessageLite& meta,
              std::span<const Buffer> bulk, const CallOptions& options, ReplyHandler& handler);

  // Forgets a call; its handler hears nothing more.
  void Cancel(CallId call);

  // A call that is under way: since when, and why its last attempt could not be sent, if so.
  struct Waiting {
    Time since;
    Status failure;
  };
  std::optional<Waiting> WaitOf(CallId call);

  static ReplyAddress AddressOf(const Request& request);
  // A reply that cannot be sent is dropped: the caller asks again.
  void Reply(const ReplyAddress& to, const google::protobuf::MessageLite& meta,
             std::span<const Buffer> bulk);
  void ReplyError(const ReplyAddress& to, const Status& status);

  // Receives what is there (waiting up to `timeout` for the first), calls the handlers, sends
  // again what is late and ends what is past its deadline. True when any message was received.
  bool Poll(Duration timeout);

  // No retry and no deadline is due before; callers that wait elsewhere use it.
  Time NextDue() const { return next_due_; }

  BufferPool& pool() { return pool_; }
  Endpoint& endpoint() { return endpoint_; }
  size_t calls_in_flight() const { return in_flight_; }
  // Messages that broke a limit, failed a check or came from another cluster.
  uint64_t bad_frames_total() const { return bad_frames_total_ + endpoint_.dropped_total(); }

 private:
  // A slot is used again by later calls; its number is the low part of the call's id.
  struct PendingCall {
    CallId id = 0;  // 0: free
    PeerId to = 0;
    uint16_t method = 0;
    Message message;
    Time started;
    Time deadline;
    Time retry_at;
    Duration retry_after{};
    ReplyHandler* handler = nullptr;
    Status failure;         // of the last attempt to send
    bool hopeless = false;  // trying again cannot help: the failure ends the call
  };

  FrameHeader MakeHeader(FrameKind kind, uint16_t method, uint64_t request_id) const;
  void Dispatch(Incoming incoming);
  void DispatchReply(PeerId from, const FrameHeader& header, const Message& message);
  void CountBadFrame(const Status& reason);
  void Attempt(PendingCall& call, Time now);
  void EndLateCalls(Time now);
  void EndCall(PendingCall& call, const Status& status, const Message& reply);
  PendingCall& TakeSlot();
  PendingCall* Find(CallId call);
  void Free(PendingCall& call);

  Endpoint& endpoint_;
  Clock& clock_;
  const RpcOptions options_;
  RequestHandler* const handler_;
  BufferPool pool_;
  uint64_t cluster_id_ = 0;
  uint64_t epoch_ = 0;
  uint64_t next_sequence_ = 1;
  std::deque<PendingCall> calls_;  // by slot; a deque, since handlers make calls meanwhile
  std::vector<uint32_t> free_slots_;
  size_t in_flight_ = 0;
  Time next_due_ = Time::max();
  Request request_;  // the one being handled
  uint64_t bad_frames_total_ = 0;
};

}  // namespace antiphon
