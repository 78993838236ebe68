// Membership: which servers and workers are part of the job, and which of them still live.
//
// A state machine without a thread and without a clock: `now` is passed in. A node is named by its
// role and its number among the nodes of that role, given in order of registration; its incarnation
// says which process that is. Whoever is silent for too long is dead, and stays dead: a process
// that speaks again after that (it was stopped, or cut off) is told to restart, because its leases
// and its rows may have moved on without it.
//
// A job begins with a fixed number of servers, each in a slot. When a server dies its slot is free,
// and the next server that registers takes it, under the same number. One that registers while all
// slots are taken waits until each server there has spoken after it came: otherwise one of them is
// about to be found dead. If all do, it joins: it gets a slot of its own, and, by and by, a seat in
// the cluster view, which is what Seat tells of. A slot without a seat vanishes with its server; a
// server without a seat takes the place of one that is lost. A server that is drained keeps its
// slot until a view has no seat for it any more. So does one that is lost and given up, but nobody
// takes its place: others get its shards. Owned by the scheduler's thread.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <set>
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
  bool elastic = false;  // more servers may join, and servers may be drained
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
  Time gone_at;                   // when that was noticed; since then its place is free
  std::vector<LaneStatus> lanes;  // of a server, from its last heartbeat
  bool draining = false;          // is to leave
  bool retired = false;           // a server that was drained: it owns nothing
  bool given_up = false;          // a server that is gone: nobody shall take its place

  bool alive() const { return health == NodeStatus::ALIVE; }
  // A worker leaves at the end of its batch, a server once it owns nothing.
  bool may_leave() const { return role == ROLE_WORKER ? draining : retired; }
  // "server 1 (pid 123, tcp://127.0.0.1:4000)", "worker 0 (pid 99 on host a)".
  std::string Name() const;
};

// Whether a server that finds no free slot must wait until it is sure that none will be.
enum class Joining { kWhenAllHaveSpoken, kAtOnce };

class Membership {
 public:
  explicit Membership(const MembershipOptions& options) : options_(options) {}

  // Adds the node, or returns the one that this incarnation is already. kUnavailable: no slot is
  // free yet, ask again. Other errors: all servers are there and none may join, an address is
  // taken, a server has other lanes than the one before it, or the request makes no sense.
  StatusOr<Node*> Register(const RegisterRequest& request, Incarnation sender, Time now,
                           Joining joining = Joining::kWhenAllHaveSpoken);

  // Notes that `sender` lives. kStaleEpoch when it was declared dead or never registered here.
  StatusOr<Node*> Hear(Incarnation sender, Time now);

  // The node goes by itself, as it says because of `reason`; it is not heard again.
  void Leave(Incarnation incarnation, const std::string& reason, Time now);
  // Whoever started the node has seen it end.
  void Bury(Incarnation incarnation, const std::string& reason, Time now);

  // The live node of this role and number is to leave; a server that is gone and whose place is
  // free is given up. kNotFound: there is none. Other errors say why it cannot.
  StatusOr<Node*> Drain(Role role, uint32_t index);
  // A server whose place has been free for longer than `patience` and that others can do without;
  // null: there is none.
  const Node* FindLost(Duration patience, Time now) const;

  // From now on these servers, and no others, are those that the job cannot do without. A drained
  // one that had a seat before and has none now is retired.
  void Seat(const ClusterView& view);

  // Declares dead who has been silent for too long; returns those. A node that knew of the job's
  // end has left instead. When this function itself was not called for long (the scheduler was
  // stopped), that time is nobody's silence.
  std::vector<const Node*> Sweep(Time now);

  // Nobody who lives counts as silent before this, and no place as free.
  void Forgive(Time until);

  const Node* Find(Incarnation incarnation) const;
  // The node that lives as this process, or null.
  const Node* FindProcess(Role role, const std::string& host, int64_t pid) const;
  // In order of registration.
  const std::deque<Node>& nodes() const { return nodes_; }
  // The last server of each slot, by its number; not all of them need live.
  const std::vector<const Node*>& servers() const { return servers_; }
  // Those that the job begins with; others may have come before it did.
  std::vector<const Node*> FirstServers() const;
  // The one of this slot, or null.
  const Node* ServerOf(uint32_t slot) const;
  bool HasSeat(const Node& server) const { return seats_.contains(server.index); }
  uint32_t LiveServers() const;
  // Every seat, or, as long as there are none, every slot is taken by a server that lives.
  bool servers_complete() const;
  // The same but for servers that are given up, of which there are some.
  bool servers_complete_but_given_up() const;
  uint32_t LiveWorkers() const;
  // Whether every node that lives has been told of the job's end.
  bool AllTold() const;

 private:
  Status CheckLanes(const RegisterRequest& request) const;
  // The server whose place the sender may take, or null: it gets a new slot.
  StatusOr<const Node*> FindPlace(const RegisterRequest& request, Incarnation sender, Time now,
                                  Joining joining);
  Status AwaitWordOfAll(Incarnation sender, Time now);
  Status CheckDrain(const Node& server) const;
  Node* FindForDrain(Role role, uint32_t index);
  void TakePlace(Node& server, const Node* before);
  void RemoveSlot(const Node& server);
  void Vacate(const Node& gone);

  MembershipOptions options_;
  std::deque<Node> nodes_;  // a deque: nodes do not move
  std::unordered_map<Incarnation, Node*> by_incarnation_;
  std::vector<const Node*> servers_;  // by slot, ascending
  uint32_t next_slot_ = 0;
  std::set<uint32_t> seats_;  // slots of the newest view; none before the first
  uint32_t workers_ = 0;
  std::unordered_map<Incarnation, Time> waiting_;  // servers without a slot, since when
  std::optional<Time> last_sweep_;
};

}  // namespace antiphon
