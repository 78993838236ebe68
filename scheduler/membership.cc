#include "scheduler/membership.h"

#include <algorithm>
#include <cstdio>
#include <iterator>

namespace antiphon {
namespace {

// Far above any real job; keeps a peer that registers in a loop from filling the memory.
constexpr size_t kMaxNodes = 16384;
constexpr int kMaxLanesOfServer = 256;
constexpr size_t kMaxAddressBytes = 256;
constexpr size_t kMaxReasonBytes = 1024;

std::string Silence(Duration silence) {
  char text[64];
  std::snprintf(text, sizeof(text), "no heartbeat for %.1f s",
                std::chrono::duration<double>(silence).count());
  return text;
}

}  // namespace

std::string Node::Name() const {
  std::string name = role == ROLE_SERVER ? "server " : "worker ";
  name += std::to_string(index) + " (pid " + std::to_string(pid);
  if (!lane_addresses.empty()) {
    name += ", " + lane_addresses.front();
  } else if (!host.empty()) {
    name += " on " + host;
  }
  return name + ")";
}

Status Membership::CheckLanes(const RegisterRequest& request) const {
  const int lanes = request.lane_addresses_size();
  if (lanes < 1 || lanes > kMaxLanesOfServer) {
    return InvalidArgumentError("a server registered with " + std::to_string(lanes) +
                                " lanes, expected 1 to " + std::to_string(kMaxLanesOfServer));
  }
  for (const std::string& address : request.lane_addresses()) {
    if (address.empty() || address.size() > kMaxAddressBytes) {
      return InvalidArgumentError("a lane address of a server is empty or longer than " +
                                  std::to_string(kMaxAddressBytes) + " bytes");
    }
    for (const Node* node : servers_) {
      if (node->alive() && std::ranges::count(node->lane_addresses, address) > 0) {
        return AlreadyExistsError("lane address " + address + " belongs to " + node->Name() +
                                  " already");
      }
    }
  }
  return Status();
}

StatusOr<const Node*> Membership::FindPlace(const RegisterRequest& request, Incarnation sender,
                                            Time now, Joining joining) {
  AP_RETURN_IF_ERROR(CheckLanes(request));
  if (seats_.empty() && servers_.size() < options_.servers) {
    return nullptr;
  }
  for (const Node* before : servers_) {
    if (before->alive() || before->given_up) {
      continue;
    }
    const auto lanes = static_cast<size_t>(request.lane_addresses_size());
    if (lanes != before->lane_addresses.size()) {
      return FailedPreconditionError(
          "the place of " + before->Name() +
          " is free for a server with --lanes=" + std::to_string(before->lane_addresses.size()) +
          ", this one has " + std::to_string(lanes));
    }
    return before;
  }
  if (joining == Joining::kWhenAllHaveSpoken) {
    AP_RETURN_IF_ERROR(AwaitWordOfAll(sender, now));
  }
  return nullptr;
}

// Ok when all servers live, and one more may join.
Status Membership::AwaitWordOfAll(Incarnation sender, Time now) {
  if (waiting_.size() >= kMaxNodes) {
    return ResourceExhaustedError("more than " + std::to_string(kMaxNodes) +
                                  " servers wait for a place in this job");
  }
  const Time since = waiting_.try_emplace(sender, now).first->second;
  std::string names;
  for (const Node* node : servers_) {
    // One without a heartbeat is new, or known from a journal only.
    if (node->last_heartbeat == 0 || node->last_heard <= since) {
      return UnavailableError("no place is free yet; " + node->Name() +
                              " may be gone, ask again soon");
    }
    names += (names.empty() ? "" : ", ") + node->Name();
  }
  waiting_.erase(sender);
  if (options_.elastic) {
    return Status();
  }
  return FailedPreconditionError(
      "one server too many: this job has " + std::to_string(servers_.size()) +
      " and all of them live: " + names +
      "; start the scheduler with --snapshot_dir so that servers can join, or with --servers=" +
      std::to_string(servers_.size() + 1));
}

StatusOr<Node*> Membership::Register(const RegisterRequest& request, Incarnation sender, Time now,
                                     Joining joining) {
  if (sender == 0) {
    return InvalidArgumentError("a node registered without an incarnation (0 in its header)");
  }
  if (by_incarnation_.contains(sender)) {
    return Hear(sender, now);
  }
  if (request.role() != ROLE_SERVER && request.role() != ROLE_WORKER) {
    return InvalidArgumentError("role " + std::to_string(request.role()) +
                                " cannot register as a node, expected server or worker");
  }
  if (nodes_.size() >= kMaxNodes) {
    return ResourceExhaustedError("more than " + std::to_string(kMaxNodes) +
                                  " nodes have registered with this scheduler");
  }
  const bool is_server = request.role() == ROLE_SERVER;
  const Node* before = nullptr;
  if (is_server) {
    AP_ASSIGN_OR_RETURN(before, FindPlace(request, sender, now, joining));
    waiting_.erase(sender);
  }
  Node& node = nodes_.emplace_back();
  node.role = request.role();
  node.incarnation = sender;
  node.host = request.host().substr(0, kMaxAddressBytes);
  node.pid = request.pid();
  node.job_digest = request.job_digest();
  node.last_heard = now;
  by_incarnation_[sender] = &node;
  if (is_server) {
    node.lane_addresses.assign(request.lane_addresses().begin(), request.lane_addresses().end());
    TakePlace(node, before);
  } else {
    node.index = workers_++;
  }
  return &node;
}

// A drain is of the slot: whoever takes the place of a server that was drained goes on with it.
void Membership::TakePlace(Node& server, const Node* before) {
  server.index = before == nullptr ? next_slot_++ : before->index;
  if (before != nullptr) {
    server.draining = before->draining;
    RemoveSlot(*before);
  }
  servers_.insert(std::ranges::upper_bound(servers_, server.index, {}, &Node::index), &server);
}

void Membership::RemoveSlot(const Node& server) {
  std::erase(servers_, &server);
}

// What the loss of a server means for the slots.
void Membership::Vacate(const Node& gone) {
  if (gone.role != ROLE_SERVER || gone.retired || seats_.empty()) {
    return;
  }
  if (!HasSeat(gone)) {
    RemoveSlot(gone);
    return;
  }
  const auto spare = std::ranges::find_if(servers_, [&](const Node* node) {
    return node->alive() && !HasSeat(*node) && !node->draining &&
           node->lane_addresses.size() == gone.lane_addresses.size();
  });
  if (spare != servers_.end()) {
    Node& server = *by_incarnation_.at((*spare)->incarnation);
    RemoveSlot(server);
    RemoveSlot(gone);
    server.index = gone.index;
    servers_.insert(std::ranges::upper_bound(servers_, server.index, {}, &Node::index), &server);
  }
}

Status Membership::CheckDrain(const Node& server) const {
  if (!options_.elastic) {
    return FailedPreconditionError(
        "shards move to other servers by way of snapshots, and there is no folder for them; start "
        "the scheduler with --snapshot_dir");
  }
  if (seats_.empty()) {
    return FailedPreconditionError("the job has not begun: " + server.Name() +
                                   " has nothing to give away; stop it, or start with fewer "
                                   "--servers");
  }
  // What is lost is read by lanes that serve, if need be by such as are to leave themselves.
  const bool others = std::ranges::any_of(servers_, [&](const Node* node) {
    return node != &server && node->alive() && (server.alive() ? !node->draining : HasSeat(*node));
  });
  return others
             ? Status()
             : FailedPreconditionError("there is no other server that could take the shards of " +
                                       server.Name() + "; start one first");
}

// One that lives, or the last server of a slot that the cluster cannot do without.
Node* Membership::FindForDrain(Role role, uint32_t index) {
  const auto found = std::ranges::find_if(nodes_, [&](const Node& node) {
    return node.alive() && node.role == role && node.index == index && !node.retired;
  });
  if (found != nodes_.end()) {
    return &*found;
  }
  const Node* lost = role == ROLE_SERVER ? ServerOf(index) : nullptr;
  return lost != nullptr && HasSeat(*lost) ? by_incarnation_.at(lost->incarnation) : nullptr;
}

StatusOr<Node*> Membership::Drain(Role role, uint32_t index) {
  Node* const node = FindForDrain(role, index);
  if (node == nullptr) {
    return NotFoundError(
        std::string("there is no ") + (role == ROLE_SERVER ? "server " : "worker ") +
        std::to_string(index) +
        (role == ROLE_SERVER ? " that lives or whose shards nobody has" : " that lives") +
        "; ps_ctl status shows who does");
  }
  const bool is_news = !node->draining || (!node->alive() && !node->given_up);
  if (node->role == ROLE_SERVER && is_news) {
    AP_RETURN_IF_ERROR(CheckDrain(*node));
    node->given_up = !node->alive();
    if (!HasSeat(*node)) {
      node->retired = true;
      RemoveSlot(*node);
    }
  }
  node->draining = true;
  return node;
}

const Node* Membership::FindLost(Duration patience, Time now) const {
  const auto found = std::ranges::find_if(servers_, [&](const Node* server) {
    return !server->alive() && !server->given_up && now - server->gone_at > patience &&
           CheckDrain(*server).ok();
  });
  return found == servers_.end() ? nullptr : *found;
}

void Membership::Seat(const ClusterView& view) {
  std::set<uint32_t> seats;
  for (const LaneAddress& lane : view.lanes()) {
    seats.insert(lane.server());
  }
  for (const uint32_t slot : seats_) {
    const Node* before = ServerOf(slot);
    if (!seats.contains(slot) && before != nullptr) {
      by_incarnation_.at(before->incarnation)->retired = true;
      RemoveSlot(*before);
    }
  }
  seats_ = std::move(seats);
}

StatusOr<Node*> Membership::Hear(Incarnation sender, Time now) {
  const auto found = by_incarnation_.find(sender);
  if (found == by_incarnation_.end()) {
    return StaleEpochError(
        "this scheduler does not know the sender; restart it so that it "
        "registers");
  }
  Node& node = *found->second;
  if (!node.alive()) {
    return StaleEpochError(
        node.Name() + (node.health == NodeStatus::LEFT ? " has left (" : " was declared dead (") +
        node.death + "); restart it");
  }
  node.last_heard = now;
  return &node;
}

void Membership::Leave(Incarnation incarnation, const std::string& reason, Time now) {
  Node& node = *by_incarnation_.at(incarnation);
  node.health = NodeStatus::LEFT;
  node.death = reason.substr(0, kMaxReasonBytes);
  node.gone_at = now;
  Vacate(node);
}

void Membership::Bury(Incarnation incarnation, const std::string& reason, Time now) {
  Node& node = *by_incarnation_.at(incarnation);
  node.health = NodeStatus::DEAD;
  node.death = reason;
  node.gone_at = now;
  Vacate(node);
}

std::vector<const Node*> Membership::Sweep(Time now) {
  const Duration own_gap = last_sweep_.has_value() ? now - *last_sweep_ : Duration::zero();
  last_sweep_ = now;
  const bool was_stopped = own_gap > options_.dead_after / 2;
  std::vector<const Node*> dead;
  for (Node& node : nodes_) {
    if (!node.alive()) {
      continue;
    }
    if (was_stopped) {
      node.last_heard = std::min(node.last_heard + own_gap, now);
    }
    const Duration silence = now - node.last_heard;
    if (silence <= options_.dead_after) {
      continue;
    }
    node.death = Silence(silence);
    node.health = node.told_end ? NodeStatus::LEFT : NodeStatus::DEAD;
    node.gone_at = now;
    if (!node.told_end) {
      dead.push_back(&node);
      Vacate(node);
    }
  }
  return dead;
}

void Membership::Forgive(Time until) {
  for (Node& node : nodes_) {
    node.last_heard = std::max(node.last_heard, until);
    node.gone_at = node.alive() ? node.gone_at : std::max(node.gone_at, until);
  }
}

const Node* Membership::Find(Incarnation incarnation) const {
  const auto found = by_incarnation_.find(incarnation);
  return found == by_incarnation_.end() ? nullptr : found->second;
}

const Node* Membership::FindProcess(Role role, const std::string& host, int64_t pid) const {
  const auto found = std::ranges::find_if(nodes_, [&](const Node& node) {
    return node.alive() && node.role == role && node.host == host && node.pid == pid;
  });
  return found == nodes_.end() ? nullptr : &*found;
}

std::vector<const Node*> Membership::FirstServers() const {
  std::vector<const Node*> first;
  std::ranges::copy_if(servers_, std::back_inserter(first),
                       [this](const Node* server) { return server->index < options_.servers; });
  return first;
}

const Node* Membership::ServerOf(uint32_t slot) const {
  const auto found = std::ranges::lower_bound(servers_, slot, {}, &Node::index);
  return found != servers_.end() && (*found)->index == slot ? *found : nullptr;
}

bool Membership::servers_complete() const {
  if (seats_.empty()) {
    return servers_.size() >= options_.servers && LiveServers() == servers_.size();
  }
  return std::ranges::all_of(seats_, [this](uint32_t slot) {
    const Node* server = ServerOf(slot);
    return server != nullptr && server->alive();
  });
}

bool Membership::servers_complete_but_given_up() const {
  bool any_given_up = false;
  for (const uint32_t slot : seats_) {
    const Node* server = ServerOf(slot);
    if (server == nullptr || (!server->alive() && !server->given_up)) {
      return false;
    }
    any_given_up = any_given_up || server->given_up;
  }
  return any_given_up;
}

uint32_t Membership::LiveServers() const {
  return static_cast<uint32_t>(
      std::ranges::count_if(servers_, [](const Node* node) { return node->alive(); }));
}

uint32_t Membership::LiveWorkers() const {
  uint32_t count = 0;
  for (const Node& node : nodes_) {
    count += node.role == ROLE_WORKER && node.alive() ? 1 : 0;
  }
  return count;
}

bool Membership::AllTold() const {
  for (const Node& node : nodes_) {
    if (node.alive() && !node.told_end) {
      return false;
    }
  }
  return true;
}

}  // namespace antiphon
