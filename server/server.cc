#include "server/server.h"

#include <utility>

namespace antiphon {

StatusOr<std::unique_ptr<Server>> Server::Start(Transport& transport, Clock& clock, FileSystem& fs,
                                                const ServerOptions& options) {
  CHECK(!options.listen_addresses.empty());
  std::unique_ptr<Server> server(new Server(fs));
  for (size_t i = 0; i < options.listen_addresses.size(); ++i) {
    const std::string name = "lane " + std::to_string(i);
    AP_ASSIGN_OR_RETURN(
        std::unique_ptr<Endpoint> endpoint,
        transport.Open({.name = name, .listen_address = options.listen_addresses[i]}));
    server->lanes_.push_back(std::make_unique<LaneThread>(
        name, std::move(endpoint), clock, fs, server->snapshots_,
        LaneOptions{.incarnation = options.incarnation,
                    .position_check = options.position_check,
                    .memory_limit = options.memory_limit / options.listen_addresses.size()}));
  }
  SchedulerLinkOptions link;
  link.scheduler_address = options.scheduler_address;
  link.incarnation = options.incarnation;
  link.register_timeout = options.register_timeout;
  link.scheduler_timeout = options.scheduler_timeout;
  link.registration.set_role(ROLE_SERVER);
  link.registration.set_host(options.host);
  link.registration.set_pid(options.pid);
  if (options.replaces_pid != 0) {
    link.registration.set_replaces_pid(options.replaces_pid);
  }
  for (const std::string& address : server->lane_addresses()) {
    link.registration.add_lane_addresses(address);
  }
  Server* self = server.get();
  AP_ASSIGN_OR_RETURN(server->agent_,
                      NodeAgent::Start(
                          transport, clock, std::move(link),
                          [self](HeartbeatRequest& request) { self->FillHeartbeat(request); },
                          [self] { self->End(); }));
  return server;
}

std::vector<std::string> Server::lane_addresses() const {
  std::vector<std::string> addresses;
  for (const std::unique_ptr<LaneThread>& lane : lanes_) {
    addresses.push_back(lane->address());
  }
  return addresses;
}

void Server::FillHeartbeat(HeartbeatRequest& request) const {
  for (const std::unique_ptr<LaneThread>& lane : lanes_) {
    *request.add_lanes() = lane->status();
  }
}

void Server::End() {
  MutexLock lock(mu_);
  ended_ = true;
  ended_changed_.SignalAll();
}

bool Server::WaitFor(Duration timeout) {
  MutexLock lock(mu_);
  if (!ended_ && !stopped_) {
    ended_changed_.WaitFor(mu_, timeout);  // an early wake-up does no harm: callers ask again
  }
  return ended_ || stopped_;
}

Status Server::Wait() {
  {
    MutexLock lock(mu_);
    while (!ended_ && !stopped_) {
      ended_changed_.Wait(mu_);
    }
    if (stopped_) {
      return Status();
    }
  }
  return agent_->result().value_or(Status());
}

void Server::Stop() {
  {
    MutexLock lock(mu_);
    stopped_ = true;
    ended_changed_.SignalAll();
  }
  if (agent_ != nullptr) {
    agent_->Stop(agent_->may_leave() ? "was drained" : "told to stop");
  }
  for (const std::unique_ptr<LaneThread>& lane : lanes_) {
    lane->Stop();
  }
  snapshots_.Stop();
}

}  // namespace antiphon
