#include "scheduler/membership.h"

#include <algorithm>
#include <cstdio>

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

Status Membership::CheckServer(const RegisterRequest& request) const {
  if (servers_complete()) {
    return FailedPreconditionError(
        "one server too many: this job has " + std::to_string(options_.servers) +
        " and all of them have registered; start the scheduler with --servers=" +
        std::to_string(options_.servers + 1) + " to use more");
  }
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
    for (const Node& node : nodes_) {
      for (const std::string& taken : node.lane_addresses) {
        if (taken == address) {
          return AlreadyExistsError("lane address " + address + " belongs to " + node.Name() +
                                    " already");
        }
      }
    }
  }
  return Status();
}

StatusOr<Node*> Membership::Register(const RegisterRequest& request, Incarnation sender, Time now) {
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
  if (is_server) {
    AP_RETURN_IF_ERROR(CheckServer(request));
  }
  Node& node = nodes_.emplace_back();
  node.role = request.role();
  node.index = is_server ? servers_++ : workers_++;
  node.incarnation = sender;
  node.host = request.host().substr(0, kMaxAddressBytes);
  node.pid = request.pid();
  if (is_server) {
    node.lane_addresses.assign(request.lane_addresses().begin(), request.lane_addresses().end());
  }
  node.job_digest = request.job_digest();
  node.last_heard = now;
  by_incarnation_[sender] = &node;
  return &node;
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

void Membership::Leave(Incarnation incarnation, const std::string& reason) {
  Node& node = *by_incarnation_.at(incarnation);
  node.health = NodeStatus::LEFT;
  node.death = reason.substr(0, kMaxReasonBytes);
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
    if (!node.told_end) {
      dead.push_back(&node);
    }
  }
  return dead;
}

const Node* Membership::Find(Incarnation incarnation) const {
  const auto found = by_incarnation_.find(incarnation);
  return found == by_incarnation_.end() ? nullptr : found->second;
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
