// FakeLane: what the scheduler says to a lane, answered well and written down. No rows.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/net/rpc.h"
#include "common/net/transport.h"
#include "proto/cluster.pb.h"

namespace antiphon {

class FakeLane final : public RequestHandler {
 public:
  FakeLane(Transport& transport, Clock& clock, const std::string& address, Incarnation incarnation)
      : endpoint_(transport.Open({.name = address, .listen_address = address}).value()),
        rpc_(*endpoint_, clock, {.incarnation = incarnation}, this) {}

  void Poll() { rpc_.Poll(Duration::zero()); }

  void OnRequest(Request& request) override {
    const ReplyAddress to = RpcNode::AddressOf(request);
    ++requests_[request.method()];
    if (held_back_.contains(request.method())) {
      return;
    }
    if (const auto failure = failures_.find(request.method()); failure != failures_.end()) {
      rpc_.ReplyError(to, failure->second);
      return;
    }
    switch (request.method()) {
      case METHOD_CONFIGURE:
        CHECK(request.Parse(configured_).ok());
        rpc_.Reply(to, ConfigureReply(), {});
        return;
      case METHOD_SET_MEMBERS:
        CHECK(request.Parse(members_).ok());
        rpc_.Reply(to, SetMembersReply(), {});
        return;
      case METHOD_RESTORE:
        CHECK(request.Parse(restored_).ok());
        rpc_.Reply(to, RestoreReply(), {});
        return;
      case METHOD_ADOPT:
        CHECK(request.Parse(adopted_).ok());
        Adopt(to);
        return;
      case METHOD_WRITE_SNAPSHOT:
        WriteSnapshot(request, to);
        return;
      default:
        rpc_.ReplyError(to, UnimplementedError("a fake lane does not do that"));
    }
  }

  // From now on this method is answered with an error.
  void FailWith(Method method, const Status& status) { failures_[method] = status; }
  void FailNoMore(Method method) { failures_.erase(method); }
  // From now on this method gets no answer.
  void HoldBack(Method method) { held_back_.insert(method); }
  void LetGo(Method method) { held_back_.erase(method); }

  int requests(Method method) { return requests_[method]; }
  const ConfigureRequest& configured() const { return configured_; }
  const SetMembersRequest& members() const { return members_; }
  const RestoreRequest& restored() const { return restored_; }
  const WriteSnapshotRequest& last_write() const { return last_write_; }
  const AdoptRequest& adopted() const { return adopted_; }

 private:
  // A shard has five rows.
  void Adopt(const ReplyAddress& to) {
    AdoptReply reply;
    reply.set_rows(5 * static_cast<uint64_t>(adopted_.shards_size()));
    rpc_.Reply(to, reply, {});
  }
  void WriteSnapshot(const Request& request, const ReplyAddress& to) {
    CHECK(request.Parse(last_write_).ok());
    WriteSnapshotReply reply;
    reply.mutable_file()->set_name("lane-" + std::to_string(configured_.lane()) + ".aps");
    reply.mutable_file()->set_rows(10);
    reply.mutable_file()->set_bytes(100);
    rpc_.Reply(to, reply, {});
  }

  std::unique_ptr<Endpoint> endpoint_;
  RpcNode rpc_;
  std::map<Method, int> requests_;
  std::map<Method, Status> failures_;
  ConfigureRequest configured_;
  SetMembersRequest members_;
  RestoreRequest restored_;
  WriteSnapshotRequest last_write_;
  AdoptRequest adopted_;
  std::set<Method> held_back_;
};

}  // namespace antiphon
