// ElasticClient: a job's only worker, by hand. It pulls from all lanes at once, then pushes to all
// of them, one batch after the other, and times every request. When a view is over it gets the next
// one and goes on where it was. Used by one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/rng.h"
#include "common/base/types.h"
#include "common/net/lane_peers.h"
#include "common/net/node_agent.h"
#include "common/net/pending_call.h"
#include "common/net/rpc.h"
#include "common/net/zmq_transport.h"
#include "proto/cluster.pb.h"

namespace antiphon {

struct ElasticWork {
  uint64_t rows = 500000;
  uint32_t dim = 16;
  uint32_t keys = 1000;  // distinct ones of a batch
};

// In seconds.
struct Latencies {
  std::vector<double> pull;
  std::vector<double> push;
};

class ElasticClient {
 public:
  // Registers, proposes a plan with one table of stamps, and joins the cluster when it is ready.
  ElasticClient(const std::string& scheduler, const ElasticWork& work);

  // Creates every row.
  void Preload();

  // A batch. One that met the end of a view is not among `seen`: TakeStalled has its time.
  void Step(Latencies& seen);
  // The seconds of such batches since the last call.
  double TakeStalled();

  // The newest move and how many there were; asked for now and then, without waiting.
  const MoveStatus& LastMove();
  int moves() const { return moves_; }

  // Has ps_ctl's question asked of the server with the lowest number.
  void DrainOldest();

  // The first float of all rows together, and what it must be: how many keys were pushed.
  double SumOfStamps();
  double pushed() const { return static_cast<double>(position_ * work_.keys); }

  SystemClock& clock() { return clock_; }

 private:
  using Calls = std::vector<std::unique_ptr<PendingCall>>;

  void ProposePlan();
  // Gets the view, leases the partition and opens it.
  void JoinCluster();
  // False: the view is over.
  bool Pull(const std::vector<Key>& keys);
  bool Push();
  template <typename Reply>
  bool TakeAll(const Calls& calls);
  template <typename Reply>
  Reply Ask(PeerId peer, Method method, const google::protobuf::MessageLite& meta,
            std::span<const Buffer> bulk = {});

  const ElasticWork work_;
  const std::string scheduler_address_;
  SystemClock clock_;
  std::unique_ptr<ZmqTransport> transport_;
  std::unique_ptr<Endpoint> endpoint_;
  RpcNode rpc_;
  LanePeers lanes_;
  PendingCall status_;
  std::unique_ptr<NodeAgent> agent_;
  PeerId scheduler_ = 0;
  ClusterView view_;
  uint64_t lease_epoch_ = 0;
  Rng rng_{1};
  uint64_t step_ = 0;
  Position position_ = 0;
  std::vector<std::vector<Key>> by_lane_;
  std::vector<Message> replies_;  // by lane
  double stalled_ = 0;
  MoveStatus move_;
  int moves_ = 0;
  uint32_t oldest_server_ = 0;
  Time look_at_{};
};

}  // namespace antiphon
