// ps_server: a process whose threads own shards of a model.
#include <atomic>
#include <chrono>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <unistd.h>

#include <gflags/gflags.h>
#include <google/protobuf/stubs/logging.h>

#include "common/base/clock.h"
#include "common/base/command_line.h"
#include "common/base/file_system.h"
#include "common/base/logging.h"
#include "common/base/signals.h"
#include "common/net/listen_address.h"
#include "common/net/zmq_transport.h"
#include "server/server.h"

DEFINE_string(scheduler, "", "address of the scheduler, HOST:PORT");
DEFINE_string(listen, "127.0.0.1", "address that the lanes listen at; each takes a free port");
DEFINE_uint32(lanes, 1, "threads that own shards, each with a socket of its own");
DEFINE_uint32(register_timeout_seconds, 30, "how long the scheduler may take to answer at first");
DEFINE_uint32(scheduler_timeout_seconds, 60, "a scheduler silent for this long is given up");
DEFINE_uint64(
    memory_limit_mb, 0,
    "MiB that rows, indexes and dense blocks may take; near it new ids are admitted less and "
    "rows with the lowest scores go; 0: no limit");
DEFINE_bool(i_know_plaintext_is_unsafe, false,
            "allow an address that other machines can reach, without encryption");
DEFINE_int64(replaces_pid, 0, "process on this host whose place this one takes; 0: none");
DECLARE_string(log_dir);  // glog's

namespace antiphon {
namespace {

constexpr char kProgram[] = "ps_server";
constexpr uint32_t kMaxLanes = 256;
constexpr uint64_t kMaxMemoryMb = uint64_t{1} << 30;
constexpr Duration kLookForSignalsEvery = std::chrono::milliseconds(100);
constexpr uint32_t kMaxTimeoutSeconds = 24 * 3600;

Status CheckRange(const std::string& flag, uint32_t value, uint32_t max) {
  if (value >= 1 && value <= max) {
    return Status();
  }
  return InvalidArgumentError("--" + flag + "=" + std::to_string(value) + ", expected 1 to " +
                              std::to_string(max));
}

StatusOr<ServerOptions> OptionsFromFlags() {
  AP_RETURN_IF_ERROR(CheckRange("lanes", FLAGS_lanes, kMaxLanes));
  if (FLAGS_memory_limit_mb > kMaxMemoryMb) {
    return InvalidArgumentError("--memory_limit_mb=" + std::to_string(FLAGS_memory_limit_mb) +
                                ", expected at most " + std::to_string(kMaxMemoryMb));
  }
  AP_RETURN_IF_ERROR(
      CheckRange("register_timeout_seconds", FLAGS_register_timeout_seconds, kMaxTimeoutSeconds));
  AP_RETURN_IF_ERROR(
      CheckRange("scheduler_timeout_seconds", FLAGS_scheduler_timeout_seconds, kMaxTimeoutSeconds));
  if (FLAGS_scheduler.empty()) {
    return InvalidArgumentError("--scheduler is missing, expected --scheduler=HOST:PORT");
  }
  AP_ASSIGN_OR_RETURN(
      const std::string listen_address,
      ListenAddress(FLAGS_listen + ":0",
                    FLAGS_i_know_plaintext_is_unsafe ? Reach::kAnyNetwork : Reach::kThisMachine));
  char host[256] = "";
  gethostname(host, sizeof(host) - 1);
  std::random_device random;
  ServerOptions options;
  options.scheduler_address = FLAGS_scheduler.find("://") == std::string::npos
                                  ? "tcp://" + FLAGS_scheduler
                                  : FLAGS_scheduler;
  options.listen_addresses.assign(FLAGS_lanes, listen_address);
  options.incarnation = (uint64_t{random()} << 32 | random()) | 1;
  options.host = host;
  options.pid = getpid();
  options.memory_limit = FLAGS_memory_limit_mb << 20;
  options.register_timeout = std::chrono::seconds(FLAGS_register_timeout_seconds);
  options.scheduler_timeout = std::chrono::seconds(FLAGS_scheduler_timeout_seconds);
  options.replaces_pid = FLAGS_replaces_pid;
  return options;
}

Status Run(std::span<char* const> arguments) {
  AP_RETURN_IF_ERROR(ParseFlags(arguments, kProgram, "owns shards of a model"));
  AP_ASSIGN_OR_RETURN(const ServerOptions options, OptionsFromFlags());
  InitLogging({.program = arguments[0], .log_dir = FLAGS_log_dir});
  // Peers could fill the log through the library's own lines; bad messages are refused and counted.
  google::protobuf::SetLogHandler(nullptr);
  SystemClock clock;
  PosixFileSystem fs;
  // The watcher comes first, so that every thread inherits its blocked signals.
  std::atomic<bool> stop = false;
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<SignalWatcher> signals,
                      SignalWatcher::Start([&stop](int) { stop = true; }));
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<ZmqTransport> transport, ZmqTransport::Create());
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<Server> server,
                      Server::Start(*transport, clock, fs, options));
  while (!server->WaitFor(kLookForSignalsEvery)) {
    if (stop) {
      server->Stop();
    }
  }
  return server->Wait();
}

}  // namespace
}  // namespace antiphon

int main(int argc, char** argv) {
  const antiphon::Status status = antiphon::Run({argv, static_cast<size_t>(argc)});
  antiphon::FlushLogging();
  return antiphon::ExitWith(antiphon::kProgram, status);
}
