// ScriptedLane: a lane that answers as a test tells it, and remembers what it was asked.
//
// By default it applies every push and answers pulls with rows of zeros. Owned by the test.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "common/net/memory_transport.h"
#include "common/net/rpc.h"
#include "proto/cluster.pb.h"

namespace antiphon {

class ScriptedLane final : public RequestHandler {
 public:
  ScriptedLane(MemoryTransport& transport, Clock& clock, const std::string& name, uint32_t dim)
      : dim_(dim),
        endpoint_(*transport.Open({.name = name, .listen_address = "mem://" + name})),
        rpc_(*endpoint_, clock, {.incarnation = 77}, this) {}

  void Poll() { rpc_.Poll(Duration::zero()); }

  void OnRequest(Request& request) override {
    asked_.push_back(request.method());
    const ReplyAddress to = RpcNode::AddressOf(request);
    if (!refusals_.empty() && refusals_.front().method == request.method()) {
      const Status refusal = refusals_.front().status;
      refusals_.pop_front();
      rpc_.ReplyError(to, refusal);
      return;
    }
    switch (request.method()) {
      case METHOD_OPEN_PARTITION: {
        OpenPartitionReply reply;
        for (const uint64_t position : positions_) {
          reply.add_applied_through(position);
        }
        rpc_.Reply(to, reply, {});
        return;
      }
      case METHOD_PULL:
        AnswerPull(request, to);
        return;
      case METHOD_PUSH: {
        PushRequest push;
        if (request.Parse(push).ok()) {
          pushes_.push_back(push);
          push_frames_.push_back(request.message.bulk().size());
        }
        rpc_.Reply(to, PushReply(), {});
        return;
      }
      default:
        rpc_.ReplyError(to, UnimplementedError("not scripted"));
    }
  }

  struct Refusal {
    Method method;
    Status status;
  };

  std::vector<uint64_t> positions_ = {0};  // what OPEN_PARTITION tells
  std::deque<Refusal> refusals_;           // the next requests of these methods fail
  std::vector<Method> asked_;
  std::vector<PullRequest> pulls_;
  std::vector<PushRequest> pushes_;
  std::vector<size_t> push_frames_;
  size_t missing_row_bytes_ = 0;  // how much shorter than asked the rows of a pull are

 private:
  void AnswerPull(Request& request, const ReplyAddress& to) {
    PullRequest pull;
    if (!request.Parse(pull).ok()) {
      return;
    }
    pulls_.push_back(pull);
    size_t bytes = 0;
    for (const TableSlice& slice : pull.tables()) {
      bytes += slice.count() * dim_ * sizeof(float);
    }
    bytes -= missing_row_bytes_;
    Buffer rows = Buffer::Allocate(bytes);
    std::fill(rows.mutable_data(), rows.mutable_data() + bytes, std::byte{0});
    const std::vector<Buffer> bulk = {rows, Buffer()};
    rpc_.Reply(to, PullReply(), bulk);
  }

  const uint32_t dim_;
  std::unique_ptr<Endpoint> endpoint_;
  RpcNode rpc_;
};

}  // namespace antiphon
