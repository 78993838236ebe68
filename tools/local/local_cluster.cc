#include "tools/local/local_cluster.h"

#include <unistd.h>
#include <utility>

#include "common/base/hash.h"

namespace antiphon {
namespace {

ServerOptions ServerOptionsFor(const LocalClusterOptions& options, uint32_t server,
                               const std::string& scheduler_address) {
  ServerOptions out;
  out.scheduler_address = scheduler_address;
  for (uint32_t lane = 0; lane < options.lanes; ++lane) {
    out.listen_addresses.push_back(
        options.listen_address("server" + std::to_string(server) + ".lane" + std::to_string(lane)));
  }
  out.incarnation = Mix64(options.seed, 1000 + server) | 1;
  out.memory_limit = options.memory_limit;
  out.host = "this process";
  out.pid = getpid();
  return out;
}

WorkerOptions WorkerOptionsFor(const LocalClusterOptions& options, size_t worker,
                               const std::string& scheduler_address) {
  WorkerOptions out;
  out.scheduler_address = scheduler_address;
  out.incarnation = Mix64(options.seed, 2000 + worker) | 1;
  out.job_digest = options.job_digest;
  return out;
}

}  // namespace

StatusOr<std::unique_ptr<LocalCluster>> LocalCluster::Start(
    LocalClusterOptions options, Transport& transport, FileSystem& fs, Clock& clock,
    const std::vector<EngineFactory*>& factories) {
  options.scheduler.listen_address = options.listen_address("scheduler");
  options.scheduler.servers = options.servers;
  options.scheduler.workers_expected = static_cast<uint32_t>(factories.size());
  options.scheduler.cluster_id = Mix64(options.seed, 1) | 1;
  std::unique_ptr<LocalCluster> cluster(new LocalCluster());
  AP_ASSIGN_OR_RETURN(std::unique_ptr<Scheduler> scheduler,
                      Scheduler::Create(options.scheduler, transport, fs, clock));
  cluster->scheduler_ = std::make_unique<SchedulerThread>(std::move(scheduler));
  const std::string address = cluster->scheduler_->address();
  for (uint32_t i = 0; i < options.servers; ++i) {
    AP_ASSIGN_OR_RETURN(std::unique_ptr<Server> server,
                        Server::Start(transport, clock, fs, ServerOptionsFor(options, i, address)));
    cluster->servers_.push_back(std::move(server));
  }
  for (size_t i = 0; i < factories.size(); ++i) {
    AP_ASSIGN_OR_RETURN(
        std::unique_ptr<Worker> worker,
        Worker::Start(transport, clock, *factories[i], WorkerOptionsFor(options, i, address)));
    cluster->workers_.push_back(std::move(worker));
  }
  return cluster;
}

bool LocalCluster::WaitFor(Duration timeout) {
  // Workers end with the job, and a worker that fails ends all.
  bool all = true;
  for (const std::unique_ptr<Worker>& worker : workers_) {
    if (!worker->WaitFor(timeout / static_cast<int64_t>(workers_.size()))) {
      all = false;
    } else if (!worker->Wait().ok()) {
      return true;
    }
  }
  return all;
}

Status LocalCluster::Wait() {
  while (!WaitFor(std::chrono::milliseconds(100))) {
  }
  for (const std::unique_ptr<Worker>& worker : workers_) {
    if (worker->WaitFor(Duration::zero())) {
      AP_RETURN_IF_ERROR(worker->Wait());
    }
  }
  return scheduler_->Wait();
}

void LocalCluster::Stop() {
  for (const std::unique_ptr<Worker>& worker : workers_) {
    worker->Stop();
  }
  workers_.clear();
  if (scheduler_ != nullptr) {
    scheduler_->Stop();
  }
  servers_.clear();
}

}  // namespace antiphon
