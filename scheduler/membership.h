// Membership: which servers and workers are part of the job, and which of them still live.
//
// A state machine without a thread and without a clock: `now` is passed in. A node is named by its
// role and its number among the nodes of that role, given in order of registration; its incarnation
// says which process that is. Whoever is silent for too long is dead, and stays dead: a process
// that speaks again after that (it was stopped, or cut off) is told to restart, because its leases
// and its rows may have moved on without it. Owned by the scheduler's thread.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "common/base/types.h"
#include "proto/cluster.pb.h"

namespace antiphon {

struct MembershipOptions {
  uint32_t servers = 1;
  Duration dead_after = std::chrono::milliseconds(2500);
};

struct Node {
  Role role = ROLE_UNSPECIFIED;
  uint32_t index = 0;  // among the nodes of its role
  Incarnation incarnation = 0;
  std::string host;
  int64_t pid = 0;
  std::vector<std::string> lane_addresses;  // of a server
  uint64_t job_digest = 0;                  // of a worker
  NodeStatus::Health health = NodeStatus::ALIVE;
  Time last_heard;
  uint64_t last_heartbeat = 0;    // its request id
  bool told_end = false;          // a heartbeat was answered with a state that ends the job
  std::string death;              // why it is gone: "no heartbeat for 2.6 s"
  std::vector<LaneStatus> lanes;  // of a server, from its last heartbeat

  bool alive() const { return health == NodeStatus::ALIVE; }
  // "server 1 (pid 123, tcp://127.0.0.1:4000)", "worker 0 (pid 99 on host a)".
  std::string Name() const;
};

class Membership {
 public:
  explicit Membership(const MembershipOptions& options) : options_(options) {}

  // Adds the node, or returns the one that this incarnation is already. Fails when all servers are
  // there, when an address is taken, or when the request makes no sense.
  StatusOr<Node*> Register(const RegisterRequest& request, Incarnation sender, Time now);

  // Notes that `sender` lives. kStaleEpoch when it was declared dead or never registered here.
  StatusOr<Node*> Hear(Incarnation sender, Time now);

  // The node goes by itself, as it says because of `reason`; it is not heard again.
  void Leave(Incarnation incarnation, const std::string& reason);

  // Declares dead who has been silent for too long; returns those. A node that knew of the job's
  // end has left instead. When this function itself was not called for long (the scheduler was
  // stopped), that time is nobody's silence.
  std::vector<const Node*> Sweep(Time now);

  const Node* Find(Incarnation incarnation) const;
  // In order of registration; servers therefore in order of their numbers.
  const std::deque<Node>& nodes() const { return nodes_; }
  uint32_t servers() const { return servers_; }
  bool servers_complete() const { return servers_ == options_.servers; }
  uint32_t LiveWorkers() const;
  // Whether every node that lives has been told of the job's end.
  bool AllTold() const;

 private:
  Status CheckServer(const RegisterRequest& request) const;

  MembershipOptions options_;
  std::deque<Node> nodes_;  // a deque: nodes do not move
  std::unordered_map<Incarnation, Node*> by_incarnation_;
  uint32_t servers_ = 0;
  uint32_t workers_ = 0;
  std::optional<Time> last_sweep_;
};

}  // namespace antiphon
