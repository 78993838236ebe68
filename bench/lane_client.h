// LaneClient: the only worker of a LaneProcess, whose one table it chooses. Each request is sent
// and waited for. Owned by one thread; a failed request ends the benchmark.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "common/base/clock.h"
#include "common/base/logging.h"
#include "common/net/pending_call.h"
#include "common/net/rpc.h"
#include "common/net/transport.h"
#include "proto/cluster.pb.h"

namespace antiphon {

class LaneClient {
 public:
  // Configures the lane for a table of number 0, and leases partition 0.
  LaneClient(const std::string& address, const TableSpec& table);

  // Of a lane at `address` that owns all shards.
  static ConfigureRequest Configuration(const TableSpec& table, const std::string& address);

  // Returns the rows' weights.
  Message Pull(const Buffer& keys);

  // Gradients and counts of the keys that were pulled last.
  void Push(const Buffer& gradients, const Buffer& counts);

  template <typename Reply>
  Message Ask(Method method, const google::protobuf::MessageLite& meta,
              std::span<const Buffer> bulk, Reply& reply) {
    PendingCall call(*rpc_);
    call.Start(lane_, method, meta, bulk, {});
    while (!call.ready()) {
      rpc_->Poll(std::chrono::seconds(1));
    }
    Message message;
    const Status status = call.Take(reply, &message);
    CHECK(status.ok()) << status;
    return message;
  }

  SystemClock& clock() { return clock_; }
  RpcNode& rpc() { return *rpc_; }
  PeerId lane() const { return lane_; }

 private:
  SystemClock clock_;
  std::unique_ptr<Transport> transport_;
  std::unique_ptr<Endpoint> endpoint_;
  std::unique_ptr<RpcNode> rpc_;
  PeerId lane_ = 0;
  uint64_t step_ = 0;
  Position position_ = 0;
};

}  // namespace antiphon
