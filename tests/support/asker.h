// Asker: a peer that asks one question at a time, for tests that speak a protocol by hand.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/net/rpc.h"
#include "common/net/transport.h"

namespace antiphon {

class Asker final : public ReplyHandler {
 public:
  Asker(Transport& transport, Clock& clock, const std::string& name, const std::string& address,
        Incarnation incarnation)
      : endpoint_(transport.Open({.name = name, .listen_address = ""}).value()),
        rpc_(*endpoint_, clock, {.incarnation = incarnation}, nullptr),
        peer_(endpoint_->Connect(address).value()) {}

  void Send(Method method, const google::protobuf::MessageLite& meta,
            const std::vector<Buffer>& bulk = {}) {
    status_.reset();
    rpc_.Call(peer_, method, meta, bulk, {}, *this);
  }
  // From now on it says to know the view of this epoch.
  void GoBy(uint64_t cluster_id, uint64_t epoch) { rpc_.SetCluster(cluster_id, epoch); }
  void Poll() { rpc_.Poll(Duration::zero()); }

  bool answered() const { return status_.has_value(); }
  const Status& status() const { return *status_; }
  const Message& reply() const { return reply_; }

  void OnReply(CallId, const Status& status, const Message& reply) override {
    status_ = status;
    reply_ = reply;
  }

 private:
  std::unique_ptr<Endpoint> endpoint_;
  RpcNode rpc_;
  PeerId peer_;
  std::optional<Status> status_;
  Message reply_;
};

}  // namespace antiphon
